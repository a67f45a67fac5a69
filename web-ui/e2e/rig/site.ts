// A place for one hub as a customer has it: its folder, a real mosquitto with TLS, and real virtual boards.
import { createSocket } from "node:dgram";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash, X509Certificate } from "node:crypto";

import { program, run, Running, succeeds } from "./process.ts";

const freeTcp = async () =>
  await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });

const freeUdp = async () =>
  await new Promise<number>((resolve) => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });

export class Site {
  readonly folder = mkdtempSync(join(tmpdir(), "web-ui-"));
  readonly dir = join(this.folder, "hub");
  url = "";
  coaps = 0;
  broker = 0;
  setupLink = "";
  #hub: Running | null = null;
  #broker: Running | null = null;
  readonly #boards: Running[] = [];

  /** Makes everything, and starts hub and broker. */
  static async start(boards: number, tenants: number): Promise<Site> {
    const site = new Site();
    site.broker = await freeTcp();
    await site.startBroker();
    const monitoring = await freeTcp();
    site.coaps = await freeUdp();
    const https = await freeTcp();
    const to = ["--mqtt", `mqtts://127.0.0.1:${site.broker}`, "--mqtt-ca", join(site.folder, "ca.pem")];
    const listen = ["--listen", `127.0.0.1:${site.coaps}`, "--monitoring", `127.0.0.1:${monitoring}`, "--https", `127.0.0.1:${https}`];
    run(program("cellular-hub"), ["fixture", "--boards", `${boards}`, "--tenants", `${tenants}`, "--dir", site.dir, ...to, ...listen]);
    site.url = `https://localhost:${https}`;
    await site.startHub();
    return site;
  }

  /** Replaces keys of one section of the configuration. */
  configure(section: string, keys: Record<string, string | number | boolean>): void {
    const path = join(this.dir, "hub.toml");
    const text = readFileSync(path, "utf8");
    const lines = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
    const head = `[${section}]`;
    const parts = text.split("\n");
    const at = parts.indexOf(head);
    if (at < 0) {
      writeFileSync(path, `${text}\n${head}\n${lines.join("\n")}\n`);
      return;
    }
    const next = parts.findIndex((line, index) => index > at && line.startsWith("["));
    const end = next < 0 ? parts.length : next;
    const kept = parts.slice(at + 1, end).filter((line) => !Object.keys(keys).some((key) => line.startsWith(`${key} =`)));
    writeFileSync(path, [...parts.slice(0, at + 1), ...lines, ...kept, ...parts.slice(end)].join("\n"));
  }

  async startHub(): Promise<void> {
    this.#hub = new Running("hub", program("cellular-hub"), ["serve", "--config", join(this.dir, "hub.toml")]);
    await this.#hub.says(/the hub serves/);
    if (this.setupLink === "") this.setupLink = (await this.#hub.says(/https:\/\/\S+\/setup#\S+/))[0];
  }

  get hubSaid(): string {
    return this.#hub?.said ?? "";
  }

  async stopHub(): Promise<void> {
    await this.#hub?.end();
  }

  /** A command of the hub's program on this hub. */
  command(...args: readonly string[]): string {
    return run(program("cellular-hub"), [...args, "--config", join(this.dir, "hub.toml")]);
  }

  /** The same, with this on its standard input. */
  commandWith(input: string, ...args: readonly string[]): string {
    return run(program("cellular-hub"), [...args, "--config", join(this.dir, "hub.toml")], input);
  }

  /** Boards `skip`.. of the fixture speak every `interval` seconds until the end. */
  boards(count: number, skip = 0, interval = 1): Running {
    const args = ["--hub", `127.0.0.1:${this.coaps}`, "--fixture", this.dir, "--interval", `${interval}`];
    const boards = new Running("boards", program("virtual-board"), [...args, "--count", `${count}`, "--skip", `${skip}`]);
    this.#boards.push(boards);
    return boards;
  }

  /** Whether this board of the fixture gets one reading acknowledged within some seconds. */
  delivers(board: number, withinS = 40): boolean {
    const args = ["--hub", `127.0.0.1:${this.coaps}`, "--fixture", this.dir, "--readings", "1", "--interval", "1"];
    return succeeds(program("virtual-board"), [...args, "--skip", `${board}`, "--timeout", `${withinS}`]);
  }

  /** What arrives at the broker from now on, as somebody else's client hears it; line by line, or its word would wait. */
  async subscribe(topic: string): Promise<Running> {
    const at = ["-h", "127.0.0.1", "-p", `${this.broker}`, "--cafile", join(this.folder, "ca.pem")];
    const heard = new Running("subscriber", "stdbuf", ["-oL", "mosquitto_sub", ...at, "-t", topic, "-v", "-d"]);
    this.#boards.push(heard);
    await heard.says(/Subscribed/);
    return heard;
  }

  async startBroker(): Promise<void> {
    const at = (name: string) => join(this.folder, name);
    if (this.#broker === null) {
      mkdirSync(this.folder, { recursive: true });
      const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
      run("openssl", ["req", "-x509", ...curve, "-days", "2", "-subj", "/CN=broker ca", "-keyout", at("ca.key"), "-out", at("ca.pem")]);
      run("openssl", ["req", "-new", ...curve, "-subj", "/CN=broker", "-keyout", at("broker.key"), "-out", at("broker.csr")]);
      writeFileSync(at("san"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
      const by = ["-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", at("san")];
      run("openssl", ["x509", "-req", "-in", at("broker.csr"), ...by, "-out", at("broker.pem")]);
      const tls = `cafile ${at("ca.pem")}\ncertfile ${at("broker.pem")}\nkeyfile ${at("broker.key")}`;
      writeFileSync(at("mosquitto.conf"), `user root\nlistener ${this.broker} 127.0.0.1\nallow_anonymous true\n${tls}\n`);
    }
    this.#broker = new Running("mosquitto", "mosquitto", ["-c", at("mosquitto.conf")]);
    await this.#broker.says(/mosquitto version .* running/);
  }

  async stopBroker(): Promise<void> {
    await this.#broker?.end();
  }

  /** What Chromium takes as the hub's certificate without an error: the digest of its key. */
  get pin(): string {
    const certificate = new X509Certificate(readFileSync(join(this.dir, "pki/server.pem")));
    const spki = certificate.publicKey.export({ type: "spki", format: "der" });
    return createHash("sha256").update(spki).digest("base64");
  }

  async end(): Promise<void> {
    for (const boards of this.#boards) await boards.end("SIGINT");
    await this.#hub?.end();
    await this.#broker?.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

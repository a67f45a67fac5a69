// Programs of a test: started with their output kept, ended by their own id, never left behind.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";

export const ROOT = new URL("../../../", import.meta.url).pathname;
const target = process.env["CARGO_TARGET_DIR"] ?? `${ROOT}target`;

export const program = (name: string) => `${target}/debug/${name}`;
/** What scripts/peers has brought. */
export const peer = (path: string) => `${target}/peers/${path}`;

export class Running {
  readonly #child: ChildProcess;
  readonly #name: string;
  #said = "";
  #heard = new Set<() => void>();
  #ended = false;

  constructor(name: string, command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.#name = name;
    this.#child = spawn(command, args, { env: { ...process.env, NO_COLOR: "1", ...env }, stdio: ["ignore", "pipe", "pipe"] });
    const heard = (bytes: Buffer) => {
      this.#said += bytes.toString();
      this.#heard.forEach((each) => each());
    };
    this.#child.stdout?.on("data", heard);
    this.#child.stderr?.on("data", heard);
    this.#child.on("exit", () => {
      this.#ended = true;
      this.#heard.forEach((each) => each());
    });
  }

  get said(): string {
    return this.#said;
  }

  /** Waits for words of the program's. */
  async says(pattern: RegExp, withinMs = 60_000): Promise<RegExpMatchArray> {
    return await new Promise((resolve, reject) => {
      const look = () => {
        const found = this.#said.match(pattern);
        if (found === null && !this.#ended) return;
        this.#heard.delete(look);
        clearTimeout(timer);
        if (found === null) reject(new Error(`${this.#name} ended: ${this.#said}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        this.#heard.delete(look);
        reject(new Error(`${this.#name} did not say ${String(pattern)}: ${this.#said}`));
      }, withinMs);
      this.#heard.add(look);
      look();
    });
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#ended) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill(signal);
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), 15_000);
    await gone;
    clearTimeout(kill);
  }
}

/** Runs a command to its end, with this on its standard input, and returns what it said. */
export function run(command: string, args: readonly string[], input = ""): string {
  const done = spawnSync(command, args, { encoding: "utf8", input, env: { ...process.env, NO_COLOR: "1" } });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.stderr}${done.stdout}`);
  return done.stdout;
}

/** Runs a command to its end; whether it did what it was to do. */
export function succeeds(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

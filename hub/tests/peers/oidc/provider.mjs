// A certified OpenID provider with one client, the hub, and whoever is in PEOPLE (JSON: their claims by
// what they sign in with). Says where it listens. Everybody's password is any.
import { Provider } from "oidc-provider";
import http from "node:http";

const { CALLBACK, SECRET, PEOPLE } = process.env;
const people = JSON.parse(PEOPLE);
const server = http.createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{ client_id: "cellular-hub", client_secret: SECRET, redirect_uris: [CALLBACK] }],
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"], profile: ["name"] },
  scopes: ["openid", "email", "groups", "profile"],
  pkce: { required: () => true },
  cookies: { keys: ["only for this test"] },
  async findAccount(_context, id) {
    return people[id] && { accountId: id, claims: async () => ({ ...people[id], sub: id }) };
  },
});
server.on("request", provider.callback());
console.log(`listening ${issuer}`);

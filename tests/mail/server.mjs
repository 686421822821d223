// An SMTP server for tests: prints its port, and then each mail, as a line of JSON. It stops when its stdin ends.
//
// Its argument: { tls: "none" | "starttls" | "implicit", user, password, replies: [code, …] } where `replies` are what the first mails are
// answered with, instead of being taken.
import { readFileSync } from "node:fs";
import { SMTPServer } from "smtp-server";

const { tls = "none", user, password, replies = [] } = JSON.parse(process.argv[2] ?? "{}");
const beside = (name) => readFileSync(new URL(name, import.meta.url));
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = new SMTPServer({
  secure: tls === "implicit",
  key: beside("key.pem"),
  cert: beside("certificate.pem"),
  disabledCommands: [...(tls === "starttls" ? [] : ["STARTTLS"]), ...(user ? [] : ["AUTH"])],
  authOptional: !user,
  allowInsecureAuth: true,
  onAuth: (auth, _session, done) =>
    auth.username === user && auth.password === password ? done(null, { user }) : done(new Error("wrong password")),
  onData(stream, session, done) {
    const chunks = [];
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("end", () => {
      const raw = Buffer.concat(chunks).toString("latin1");
      const code = replies.shift();
      if (code) {
        const token = /token=3D([\w-]+)/.exec(raw.replace(/=\r\n/g, ""))?.[1];
        return done(Object.assign(new Error(`refused, of token ${token}`), { responseCode: code }));
      }
      const { mailFrom, rcptTo } = session.envelope;
      print({ from: mailFrom.address, to: rcptTo.map(({ address }) => address), secure: session.secure, user: session.user ?? null, raw });
      done();
    });
  },
});
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => print({ port: server.server.address().port }));
process.stdin.on("end", () => process.exit()).resume();

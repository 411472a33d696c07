// SPDX-License-Identifier: MIT
//
// A gateway of http-proxy, and our access token put in. It does not know when the token ends. With
// "kept" connections to the upstream are kept, by an agent; with "default" it is as http-proxy's own
// page shows it, which opens one for each call.
//
// usage: node proxy.mjs PORT UPSTREAM-BASE CERTIFICATE TOKEN CLIENT ORG kept|default
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import httpProxy from 'http-proxy';

const [port, base, certificate, token, client, org, connections] = process.argv.slice(2);
const { origin, pathname, protocol } = new URL(base);
const kept = { keepAlive: true, maxFreeSockets: 1024 };
const ca = fs.readFileSync(certificate);
const agents = {
  kept: protocol === 'https:' ? new https.Agent({ ...kept, ca }) : new http.Agent(kept),
  default: protocol === 'https:' ? new https.Agent({ ca }) : undefined, // for the certificate alone
};

const proxy = httpProxy.createProxyServer({
  target: origin,
  agent: agents[connections],
  headers: { authorization: `Bearer ${token}`, 'x-api-key': client, 'x-gw-ims-org-id': org },
});
proxy.on('error', (error, req, res) => {
  if (!res.headersSent) res.writeHead(502);
  res.end();
});

const server = http.createServer((req, res) => {
  if (req.url === '/readyz') return res.end('ready\n');
  req.url = pathname + req.url.slice('/accs'.length);
  req.headers['x-request-id'] = randomUUID();
  return proxy.web(req, res);
});
server.keepAliveTimeout = 600000;
server.listen(Number(port), '127.0.0.1', 511);

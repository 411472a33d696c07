// SPDX-License-Identifier: MIT
//
// A gateway of http-proxy: kept connections to the upstream, and our access token put in. It does not
// know when the token ends.
//
// usage: node proxy.mjs PORT UPSTREAM-BASE CERTIFICATE TOKEN CLIENT ORG
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import httpProxy from 'http-proxy';

const [port, base, certificate, token, client, org] = process.argv.slice(2);
const { origin, pathname, protocol } = new URL(base);
const kept = { keepAlive: true, maxFreeSockets: 1024 };
const agent = protocol === 'https:'
  ? new https.Agent({ ...kept, ca: fs.readFileSync(certificate) })
  : new http.Agent(kept);

const proxy = httpProxy.createProxyServer({
  target: origin,
  agent,
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

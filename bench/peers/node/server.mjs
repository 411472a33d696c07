// SPDX-License-Identifier: MIT
//
// The guide's Express and Redis sample, made durable: it answers when Redis has said that the token
// is there, and Redis says so when it is on disk (appendfsync always). Left out in its favour: the
// session middleware, the line that the sample logs for each token, the check of a token's form.
//
// usage: node server.mjs PORT REDIS-PORT
//
//   POST /v1/clicks  {"url", "session"}      the token of the URL, kept for a day
//   GET  /landing?sovReqToken=..., sid cookie  the same the guide's own way: no body to parse
//   POST /v1/orders  {"order", "session"}    the order once, and an entry of the queue that a
//                                            worker would read, in one transaction
//   GET  /readyz
import express from 'express';
import { createClient } from 'redis';

const [port, redisPort] = process.argv.slice(2).map(Number);
const DAY = 86400;

const client = createClient({ url: `redis://127.0.0.1:${redisPort}` });
client.on('error', () => {}); // It connects again by itself.

const keep = (session, token) => client.set(`sovendus_token_${session}`, token, { EX: DAY });

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use('/v1', express.json());

app.get('/readyz', (req, res) => res.sendStatus(client.isReady ? 200 : 503));

app.post('/v1/clicks', async (req, res) => {
  const token = new URL(req.body.url).searchParams.get('sovReqToken');
  if (!token) return res.json({ captured: false });
  await keep(req.body.session, token);
  res.status(201).json({ captured: true });
});

app.get('/landing', async (req, res) => {
  const token = req.query.sovReqToken;
  const session = /(?:^|; )sid=([^;]+)/.exec(req.headers.cookie ?? '')?.[1];
  if (token && session) await keep(session, token);
  res.status(201).send('captured');
});

app.post('/v1/orders', async (req, res) => {
  const { order, session } = req.body;
  const token = await client.get(`sovendus_token_${session}`);
  if (!token) return res.json({ order, state: 'unattributed' });
  await client.multi()
    .set(`order_${order}`, token, { NX: true })
    .xAdd('deliveries', '*', { order, token })
    .exec();
  res.status(202).json({ order, state: 'pending' });
});

client.connect();
app.listen(port, '127.0.0.1', 511);

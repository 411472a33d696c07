// SPDX-License-Identifier: MIT
//
// The guide's Express and Redis sample as it is written: the token is kept for a day under the
// session, an order's handler finds it, posts it to the partner with axios, deletes it, and logs
// each step. It is a measure, so it is never to be improved. In its favour: connections to the
// partner are kept, the session comes in the body (its middleware is left out), and a capture is
// answered when Redis has said that it is on disk (appendfsync always).
//
// usage: node sample.mjs PORT REDIS-PORT PARTNER-BASE/PRODUCT API-KEY
//
//   POST /v1/clicks  {"url", "session"}
//   POST /v1/orders  {"order", "session"}    answered when the partner has
//   GET  /readyz
import http from 'node:http';
import axios from 'axios';
import express from 'express';
import { createClient } from 'redis';

const [port, redisPort, base, apiKey] = process.argv.slice(2);
const httpAgent = new http.Agent({ keepAlive: true });

const client = createClient({ url: `redis://127.0.0.1:${redisPort}` });
client.on('error', () => {}); // It connects again by itself.

const cacheKey = (session) => `sovendus_token_${session}`;

async function sendConversion(token) {
  try {
    const response = await axios({
      method: 'POST',
      url: `${base}/${token}/api`,
      headers: { 'Content-Type': 'application/json' },
      data: { apiKey },
      timeout: 30000,
      httpAgent,
      proxy: false,
    });
    return { success: true, data: response.data };
  } catch (error) {
    return { success: false, error: error.message };
  }
}

async function processOrderCompletion(session, order) {
  const token = await client.get(cacheKey(session));
  if (!token) {
    console.log('No Sovendus token found for this session');
    return false;
  }
  const result = await sendConversion(token);
  if (!result.success) {
    console.error(`Sovendus API error: ${result.error}`);
    return false;
  }
  await client.del(cacheKey(session));
  console.log(`Sovendus conversion sent for order ${order}`);
  return true;
}

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use('/v1', express.json());

app.get('/readyz', (req, res) => res.sendStatus(client.isReady ? 200 : 503));

app.post('/v1/clicks', async (req, res) => {
  const token = new URL(req.body.url).searchParams.get('sovReqToken');
  if (!token) return res.json({ captured: false });
  await client.setEx(cacheKey(req.body.session), 86400, token);
  console.log(`Sovendus token captured: ${token.substring(0, 8)}...`);
  res.status(201).json({ captured: true });
});

app.post('/v1/orders', async (req, res) => {
  const { order, session } = req.body;
  const sent = await processOrderCompletion(session, order);
  res.status(sent ? 202 : 500).json({ order, sent });
});

client.connect();
app.listen(Number(port), '127.0.0.1', 511);

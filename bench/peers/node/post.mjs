// SPDX-License-Identifier: MIT
//
// Hands tokens back with axios as the guide's sample does, several at a time over kept connections,
// and keeps nothing. Prints how many were answered 200, and waits for the end of its standard input,
// so that its processor time can be read.
//
// usage: node post.mjs BASE-URL/PRODUCT API-KEY COUNT CONCURRENCY
import http from 'node:http';
import axios from 'axios';

const [base, apiKey] = process.argv.slice(2, 4);
const [count, concurrency] = process.argv.slice(4).map(Number);
const hex = (n, width) => n.toString(16).padStart(width, '0');
const httpAgent = new http.Agent({ keepAlive: true, maxSockets: concurrency });

let next = 0;
let delivered = 0;
async function work() {
  while (next < count) {
    const n = next++;
    const response = await axios({
      method: 'POST',
      url: `${base}/${hex(n & 0xfffff, 5)}-${hex(n >> 20, 4)}-abc-12345/api`,
      headers: { 'Content-Type': 'application/json' },
      data: { apiKey },
      timeout: 30000,
      httpAgent,
      proxy: false,
    });
    if (response.status === 200 && response.data.sovReqToken) delivered++;
  }
}
await Promise.all(Array.from({ length: concurrency }, work));
httpAgent.destroy();
console.log(delivered);
process.stdin.resume();

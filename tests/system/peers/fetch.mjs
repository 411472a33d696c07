// SPDX-License-Identifier: MIT
// Node's fetch through the gateway: many at once, a stream up, a stream down. Prints what came back.
const [, , base] = process.argv;

const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => fetch(`${base}/V1/orders/${n}?a[b]=c d`)));
const targets = (await Promise.all(answers.map((answer) => answer.json()))).map((seen) => seen.target);

const chunks = async function* () {
	for (let n = 0; n < 64; n++)
		yield new Uint8Array(16384).fill(n);
};
const up = await fetch(`${base}/V1/upload`, { method: "POST", body: chunks(), duplex: "half" });
const seen = await up.json();

let down = 0;
for await (const chunk of (await fetch(`${base}/V1/download`)).body)
	down += chunk.length;

const head = await fetch(`${base}/V1/orders`, { method: "HEAD" });
const redirect = await fetch(`${base}/V1/redirect`, { redirect: "manual" });
console.log(JSON.stringify({ statuses: [...new Set(answers.map((answer) => answer.status))], targets,
	uploaded: seen.length, down, head: head.status, redirect: redirect.status }));

// SPDX-License-Identifier: MIT
// Calls Commerce with Adobe's own client, made from the environment as its documents say, one client
// a process. What it does with each line of its input stands in ../node/lines.mjs.
import { AdobeCommerceHttpClient, resolveCommerceHttpClientParams } from '@adobe/aio-commerce-lib-api';
import { answerLines } from './lines.mjs';

const client = new AdobeCommerceHttpClient(resolveCommerceHttpClientParams(process.env));

await answerLines(async (sku) => {
  const product = await client.get(`products/${sku}`).json();
  return product.sku === sku;
});

// SPDX-License-Identifier: MIT
// A client of Commerce that does what the sample of Adobe's server-to-server guide does, no more and no
// less. It is a measure, so it is never to be improved:
// - the token is kept in the object, and is good until the moment that expires_in names;
// - whoever finds none asks for one, also when somebody else is asking already;
// - a status below 500 is no error, so a 401 is handed on as data, and the token stays;
// - a 429 waits for Retry-After as it stands, else 5 s, and begins again.
import axios from 'axios';
import { answerLines } from './lines.mjs';

const { IMS_BASE_URL, IMS_CLIENT_ID, IMS_CLIENT_SECRET, IMS_ORG_ID, IMS_SCOPES, API_ENDPOINT } = process.env;

const tokens = {
  token: null,
  goodUntil: 0,

  async get() {
    if (this.token && Date.now() < this.goodUntil) return this.token;
    const answer = await axios.post(`${IMS_BASE_URL}/ims/token/v3`, new URLSearchParams({
      client_id: IMS_CLIENT_ID,
      client_secret: IMS_CLIENT_SECRET,
      grant_type: 'client_credentials',
      scope: IMS_SCOPES,
    }));
    this.token = answer.data.access_token;
    this.goodUntil = Date.now() + answer.data.expires_in * 1000;
    return this.token;
  },
};

async function request(method, endpoint) {
  const token = await tokens.get();
  try {
    const answer = await axios({
      method,
      url: `${API_ENDPOINT}${endpoint}`,
      headers: {
        Authorization: `Bearer ${token}`,
        'x-api-key': IMS_CLIENT_ID,
        'x-gw-ims-org-id': IMS_ORG_ID,
        'Content-Type': 'application/json',
      },
      validateStatus: (status) => status < 500,
    });
    if (answer.status !== 429) return answer.data;
    await new Promise((done) => { setTimeout(done, (answer.headers['retry-after'] || 5) * 1000); });
    return request(method, endpoint);
  } catch (error) {
    if (error.response?.status === 401) tokens.token = null;
    throw error;
  }
}

await answerLines(async (sku) => (await request('GET', `/rest/V1/products/${sku}`)).sku === sku);

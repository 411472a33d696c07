// SPDX-License-Identifier: MIT
// Adobe's library has the host of IMS in a constant; this points it at the stand-in, and changes
// nothing else.
const { Ims } = require('@adobe/aio-lib-ims');

Ims.prototype.getApiUrl = (path) => process.env.IMS_BASE_URL + path;

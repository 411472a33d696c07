// SPDX-License-Identifier: MIT
// Adobe's library knows two hosts of IMS, in a constant; this points it at IMS_BASE_URL instead.
const { Ims } = require("@adobe/aio-lib-ims");

Ims.prototype.getApiUrl = (path) => process.env.IMS_BASE_URL + path;

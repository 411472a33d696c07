/* SPDX-License-Identifier: MIT */
/* One header field of a message, whoever sent it. */
#ifndef BC_NET_HTTP_FIELD_H
#define BC_NET_HTTP_FIELD_H

#include "base/str.h"

struct bc_http_field {
	struct bc_str name;  /* as sent */
	struct bc_str value; /* without the space around it */
};

#endif

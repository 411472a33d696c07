/* SPDX-License-Identifier: MIT */
/*
 * What the settings files share among themselves; nobody else includes this.
 *
 * Loading runs in three steps. Sources make *offers* (settings_env.c, settings_ini.c): a target, a
 * level, a text, where it stands. settings.c merges each offer into its target's *slot*, highest
 * level first, and refuses two that differ on one level. settings_build.c turns slots into the
 * typed snapshot. Findings go into the report; the only error that travels up is BC_ENOMEM.
 */
#ifndef BC_DAEMON_SETTINGS_PARTS_H
#define BC_DAEMON_SETTINGS_PARTS_H

#include <sys/stat.h>

#include "base/err.h"
#include "base/str.h"
#include "daemon/settings.h"

/* --- the table (settings_table.c) and its types (settings_type.c) ---------------------------- */

struct bc_setting_row;

/* How a kind of value is read into its field, shown, compared and freed. field points at it. */
struct bc_setting_type {
	const char *noun; /* "a duration" */
	const char *docs; /* what to write, for the documents */
	/* 0, BC_EINVAL with text ("is not a duration") and hint, or BC_ENOMEM. */
	int (*parse)(const struct bc_setting_row *row, struct bc_str text, void *field,
		     struct bc_err *err);
	/* Adds what parse would read back; nothing when the field is not set. 0 or BC_ENOMEM. */
	int (*format)(const void *field, struct bc_buf *out);
	bool (*equal)(const void *a, const void *b);
	void (*free)(void *field);
	/* How a bound is written: "1s", "64KiB", "4096". NULL: min and max are lengths. */
	char *(*bound)(uint64_t value, char *text, size_t text_bytes);
};

extern const struct bc_setting_type bc_setting_text;
extern const struct bc_setting_type bc_setting_list; /* comma-separated; check sees each item */
extern const struct bc_setting_type bc_setting_ms;
extern const struct bc_setting_type bc_setting_bytes;
extern const struct bc_setting_type bc_setting_count;
extern const struct bc_setting_type bc_setting_rate; /* per hour */
extern const struct bc_setting_type bc_setting_secret;

bool bc_setting_is_utf8(struct bc_str s);

enum {
	BC_SETTING_RESTART = 1, /* takes effect at a restart only */
	BC_SETTING_CLIENT = 2,	/* the command line's; a daemon does not look at it */
	BC_SETTING_KEY = 4,	/* a product's key: its fingerprint may be told */
	BC_SETTING_LINES = 8	/* may have line breaks, as PEM does */
};

struct bc_setting_row {
	const char *name; /* "click.ttl"; of a product's row only the last part */
	const struct bc_setting_type *type;
	size_t offset;	      /* of the field in struct bc_settings or bc_settings_product */
	const char *def;      /* NULL: none, or worked out */
	const char *def_docs; /* how a default that is worked out is described; else NULL */
	uint64_t min, max;    /* numbers: inclusive bounds; texts: bytes, max 0 = 1024 */
	unsigned flags;
	const char *aliases[3]; /* vendors' environment names, the first is the one to tell */
	/* A text's own rule, or NULL. 0 or BC_EINVAL: err is worded to follow the value. */
	int (*check)(struct bc_str text, struct bc_err *err);
	const char *allowed; /* the rule in words, for the documents; NULL: the type says it */
	const char *help;    /* Markdown, one or two sentences */
};

extern const struct bc_setting_row bc_setting_rows[];
extern const size_t bc_setting_row_count;
enum {
	BC_PRODUCT_ROWS = 5,
	BC_PRODUCT_PARTNER = 0,
	BC_PRODUCT_ID,
	BC_PRODUCT_KEY,
	BC_PRODUCT_LANDING,
	BC_PRODUCT_BASE_URL
};
extern const struct bc_setting_row bc_product_rows[BC_PRODUCT_ROWS];

/* A chapter of the documents: the rows whose names start with prefix; "" is those without a dot. */
struct bc_setting_group {
	const char *prefix, *title, *intro;
};
extern const struct bc_setting_group bc_setting_groups[];
extern const size_t bc_setting_group_count;

/* Environment variables that are read and are no settings. */
struct bc_setting_variable {
	const char *name, *help;
};
extern const struct bc_setting_variable bc_setting_variables[];
extern const size_t bc_setting_variable_count;

/* What applies to all settings, a paragraph each; Markdown. For the documents. */
struct bc_setting_prose {
	const char *title; /* NULL: belongs to the one above */
	const char *text;
};
extern const struct bc_setting_prose bc_setting_prose[];
extern const size_t bc_setting_prose_count;

bool bc_setting_in_group(const struct bc_setting_row *row, const struct bc_setting_group *group);
/* What may be written ("1s to 365d"), and the default ("none"); Markdown. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_setting_add_allowed(const struct bc_setting_row *row, struct bc_buf *out);
BC_MUST_CHECK int bc_setting_add_default(const struct bc_setting_row *row, struct bc_buf *out);

/* --- rules for texts (settings_check.c); err as bc_setting_row.check says --------------------- */

int bc_setting_check_base_url(struct bc_str text, struct bc_err *err);
int bc_setting_check_url(struct bc_str text, struct bc_err *err);
int bc_setting_check_secret_url(struct bc_str text, struct bc_err *err);
int bc_setting_check_ims(struct bc_str text, struct bc_err *err);
int bc_setting_check_proxy(struct bc_str text, struct bc_err *err);
int bc_setting_check_param(struct bc_str text, struct bc_err *err);
int bc_setting_check_product_id(struct bc_str text, struct bc_err *err);
/* The same, and parts with ':' between two: how many, the partner says. */
int bc_setting_check_partner_id(struct bc_str text, struct bc_err *err);
int bc_setting_check_partner(struct bc_str text, struct bc_err *err);
int bc_setting_check_landing(struct bc_str text, struct bc_err *err);
int bc_setting_check_listen(struct bc_str text, struct bc_err *err);
int bc_setting_check_input(struct bc_str text, struct bc_err *err);
int bc_setting_check_network(struct bc_str text, struct bc_err *err);
int bc_setting_check_order_state(struct bc_str text, struct bc_err *err);
int bc_setting_check_comment(struct bc_str text, struct bc_err *err);
int bc_setting_check_host(struct bc_str text, struct bc_err *err);
int bc_setting_check_store(struct bc_str text, struct bc_err *err);
int bc_setting_check_field_value(struct bc_str text, struct bc_err *err);
int bc_setting_check_scopes(struct bc_str text, struct bc_err *err);
int bc_setting_check_separator(struct bc_str text, struct bc_err *err);
int bc_setting_check_auth(struct bc_str text, struct bc_err *err);
int bc_setting_check_flavor(struct bc_str text, struct bc_err *err);
int bc_setting_check_rule(struct bc_str text, struct bc_err *err);
int bc_setting_check_public_key(struct bc_str text, struct bc_err *err);
int bc_setting_check_log(struct bc_str text, struct bc_err *err);
/* Splits "host:port" or "[v6]:port"; the host comes without brackets. False: it is neither. */
bool bc_setting_split_listen(struct bc_str text, struct bc_str *ret_host, struct bc_str *ret_port);

/* --- the loader (settings.c) ------------------------------------------------------------------ */

enum bc_setting_level {
	BC_LEVEL_NONE,
	BC_LEVEL_FILE,
	BC_LEVEL_DOTENV,
	BC_LEVEL_ENVIRONMENT,
	BC_LEVEL_SOCKET
};

/* A value that a higher place hides: the highest of them, if it differs from what is in force. Kept
 * as a hash alone, since it may be a secret: all that is asked is whether it changed. */
struct bc_setting_hidden {
	char *where; /* owned; NULL: none */
	uint64_t hash;
};

/* What is known of one setting so far. */
struct bc_setting_slot {
	enum bc_setting_level level; /* NONE: only the default */
	char *text;		     /* owned, wiped when freed; may hold a secret */
	size_t len;
	char *where; /* owned */
	bool common_name;
	struct bc_setting_hidden hidden;
};

struct bc_product_slots {
	char label[BC_PRODUCT_LABEL_MAX + 1];
	bool spelled; /* the label is a file's; the environment cannot write "-" */
	struct bc_setting_slot slots[BC_PRODUCT_ROWS];
};

struct bc_settings_loader {
	const struct bc_settings_source *source;
	struct bc_settings_report *report;
	bool lint;
	struct bc_setting_slot *slots;	   /* one a table row */
	struct bc_product_slots *products; /* owned */
	size_t product_count;
	struct bc_setting_slot config_path; /* BACKCHANNEL_CONFIG */
	char *config_folder; /* owned; where the settings file lies that was read; NULL: none was */
	const char *readable_file; /* lint: the file being read, if others can read it; once said
				      NULL */
};

/* Where an offer goes. slot is borrowed from the loader until the next product is added. */
struct bc_setting_target {
	const struct bc_setting_row *row; /* NULL: BACKCHANNEL_CONFIG */
	struct bc_setting_slot *slot;
	bool via_file;	  /* the text is the path of a file that holds the secret */
	bool common_name; /* API_ENDPOINT: it may be another program's */
};

enum {
	BC_SETTINGS_FILE_MAX = 1 << 20,
	BC_SECRET_FILE_MAX = 64 * 1024,
	BC_SETTINGS_PRODUCTS_MAX = 256
};

BC_MUST_CHECK int bc_settings_loader_init(struct bc_settings_loader *l,
					  const struct bc_settings_source *source,
					  struct bc_settings_report *report, bool lint);
void bc_settings_loader_finish(struct bc_settings_loader *l);
BC_MUST_CHECK int bc_settings_offer(struct bc_settings_loader *l,
				    const struct bc_setting_target *target,
				    enum bc_setting_level level, struct bc_str text,
				    const char *where);
/* A finding; problem's text and hint are copied. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_settings_report_add(struct bc_settings_report *report,
					 enum bc_settings_severity severity, const char *where,
					 const struct bc_err *problem);
/* The real environment's value; NULL when absent or empty. */
const char *bc_settings_getenv(const struct bc_settings_source *source, const char *name);
/* "CWD/path", or path itself when it is absolute. Heap; NULL: no memory. */
BC_MUST_CHECK char *bc_settings_resolve(const struct bc_settings_source *source, const char *path);

/* --- sources ---------------------------------------------------------------------------------- */

BC_MUST_CHECK int bc_settings_read_environment(struct bc_settings_loader *l);
BC_MUST_CHECK int bc_settings_read_dotenv(struct bc_settings_loader *l);
BC_MUST_CHECK int bc_settings_read_credentials(struct bc_settings_loader *l);
BC_MUST_CHECK int bc_settings_read_config(struct bc_settings_loader *l);
/* After all others: says where they differ from the sockets that are there (settings_sockets.c). */
BC_MUST_CHECK int bc_settings_read_sockets(struct bc_settings_loader *l);
/* The parsers below them, for text at hand; name is how `where` calls it. */
BC_MUST_CHECK int bc_settings_parse_dotenv(struct bc_settings_loader *l, const char *name,
					   struct bc_str text);
BC_MUST_CHECK int bc_settings_parse_ini(struct bc_settings_loader *l, const char *name,
					struct bc_str text);

/* Reads a whole file of at most max_bytes. want_regular also keeps a FIFO from blocking.
 * 0, BC_ENOENT, BC_EIO, BC_EINVAL (not regular), BC_ETOOBIG, BC_ENOMEM, with err. */
BC_MUST_CHECK int bc_settings_read_file(const char *path, size_t max_bytes, bool want_regular,
					struct bc_buf *out, struct stat *ret_stat,
					struct bc_err *err);
/* May a file that nobody named be believed? Ours or root's, and nobody else can write to it.
 * 0 or BC_EINVAL, err says why. */
BC_MUST_CHECK int bc_settings_check_trusted(const struct stat *st, struct bc_err *err);

/* --- partners (settings_partners.c) ----------------------------------------------------------- */

/* Opens the book of partners and gives each product its partner's definition. Faults are reported.
 * 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_settings_find_partners(struct bc_settings_loader *l, struct bc_settings *s);

/* --- names (settings_name.c) ------------------------------------------------------------------ */

enum { BC_SETTING_NAME_MAX = 128 };
/* "click.ttl" -> "BACKCHANNEL_CLICK_TTL"; also "product.shoes.id". */
void bc_setting_env_name(const char *name, char ret_name[BC_SETTING_NAME_MAX]);
/* "product.LABEL.FIELD" */
void bc_setting_product_name(const char *label, const struct bc_setting_row *row,
			     char ret_name[BC_SETTING_NAME_MAX]);
/* How long the prefix is that makes a variable's name one of ours or of the vendors'; 0: none. */
size_t bc_setting_env_prefix(struct bc_str name);
/* 1 found; 0 no setting of that name (err says so and has the nearest as hint); BC_EINVAL: a bad
 * product label (err); BC_ENOMEM. A product that is new is added to the loader. */
BC_MUST_CHECK int bc_setting_find_ini(struct bc_settings_loader *l, const char *section,
				      const char *key, struct bc_setting_target *ret_target,
				      struct bc_err *err);
/* The same for an environment name, and 0 without err: not one of ours. */
BC_MUST_CHECK int bc_setting_find_env(struct bc_settings_loader *l, struct bc_str name,
				      struct bc_setting_target *ret_target, struct bc_err *err);

/* --- the snapshot (settings_build.c) ---------------------------------------------------------- */

struct bc_settings_origins {
	char **rows;			    /* where each row's value came from; "default" */
	char *(*products)[BC_PRODUCT_ROWS]; /* the same for settings->products */
	struct bc_setting_hidden *hidden_rows;
	struct bc_setting_hidden (*hidden_products)[BC_PRODUCT_ROWS];
};
/* Adds errors to the report; *ret_settings is set only when there is none. 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_settings_build(struct bc_settings_loader *l,
				    struct bc_settings **ret_settings);
const struct bc_settings_origins *bc_settings_origins_of(const struct bc_settings *s);
/* The rows that span several settings (ranges between two of them). 0 or BC_ENOMEM. */
BC_MUST_CHECK int bc_settings_check_together(const struct bc_settings *s,
					     struct bc_settings_report *report);

#endif

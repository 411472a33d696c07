/* SPDX-License-Identifier: MIT */
/* The public listener without memory, under a body budget, and at its end. What it answers to whom
 * is tests/system/test_edge.py's. */
#include "shop_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/edge.h"
#include "daemon/edge_impl.h"
#include "failing_malloc.h"

static struct bc_settings *settings;
static struct bc_edge *edge;
static bool edge_closed;
static int peer = -1;
static char got[4096];
static size_t got_bytes;
static bool ended;

static struct bc_settings *load(const char *more)
{
	char home[] = "HOME=/nonexistent", listen[] = "BACKCHANNEL_EDGE=127.0.0.1:0";
	char product[] = "SOVENDUS_PRODUCT_ID=P", key[] = "SOVENDUS_API_KEY=" KEY_CANARY;
	char other[128];
	snprintf(other, sizeof(other), "%s", more);
	char *environment[] = { home, listen, product, key, other, NULL };
	const struct bc_settings_source source = { .environment = environment, .again = true };
	struct bc_settings_report report = { 0 };
	struct bc_settings *loaded = NULL;
	struct bc_err err = { 0 };
	if (bc_settings_load(&source, &loaded, &report, &err))
		fail_msg("%s", err.text);
	bc_settings_report_finish(&report);
	return loaded;
}

static int create(struct bc_err *err)
{
	const struct bc_edge_options options = { .shop = &rig.shop,
						 .delivery_loop = rig.loop,
						 .settings = settings };
	return bc_edge_create(rig.loop, &options, &edge, err);
}

static int setup(void **state)
{
	struct bc_err err = { 0 };
	int result = rig_setup(state);
	if (result)
		return result;
	settings = load("BACKCHANNEL_EDGE_BURST=100000");
	if (create(&err))
		fail_msg("%s", err.text);
	return 0;
}

static void on_closed(void *ctx)
{
	(void)ctx;
	edge_closed = true;
}

static void close_edge(void)
{
	if (!edge)
		return;
	edge_closed = false;
	bc_edge_close(edge, 500, on_closed, NULL);
	assert_false(edge_closed); /* never inline */
	run_until(is_set, &edge_closed);
	bc_edge_destroy(edge);
	edge = NULL;
}

static void hang_up(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static int teardown(void **state)
{
	go_on();
	close_edge();
	hang_up();
	bc_settings_unref(settings);
	return rig_teardown(state);
}

/* --- a peer ---------------------------------------------------------------------------------- */

static void dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	to.sin_port = htons((uint16_t)atoi(strrchr(bc_edge_address(edge), ':') + 1));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hang_up();
	peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	got_bytes = 0;
	got[0] = '\0';
	ended = false;
}

static void say(const char *bytes)
{
	assert_int_equal(send(peer, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* A head has come, or the other side has closed. */
static bool heard(void *ctx)
{
	(void)ctx;
	ssize_t n = recv(peer, got + got_bytes, sizeof(got) - 1 - got_bytes, 0);
	if (n > 0)
		got_bytes += (size_t)n;
	got[got_bytes] = '\0';
	ended = n == 0 || (n < 0 && errno != EAGAIN);
	return ended || strstr(got, "\r\n\r\n");
}

#define LANDING "GET /v1/c?u=%2F%3FsovReqToken%3Dtoken-1 HTTP/1.1\r\nHost: x\r\n\r\n"
#define FORM                                                                                       \
	"POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: "                                       \
	"30\r\n\r\nu=%2F%3FsovReqToken%3Dtoken-12"

static uint64_t landings(enum bc_landing landing)
{
	return atomic_load(&rig.shop.stats.landings[landing]);
}

/* --- tests ----------------------------------------------------------------------------------- */

static void a_landing_is_answered_when_it_is_stored(void **state)
{
	(void)state;
	dial();
	stall(BC_STORE_PUT_CLICK);
	say(LANDING);
	assert_false(run_until_within(heard, NULL, 50));
	go_on();
	run_until(heard, NULL);
	assert_non_null(strstr(got, "Set-Cookie: bc_click=c."));
	assert_int_equal(landings(BC_LANDING_STORED), 1);
}

static void a_refused_landing_takes_its_token_along(void **state)
{
	(void)state;
	dial();
	refuse(BC_STORE_PUT_CLICK, 1);
	say(FORM);
	run_until(heard, NULL);
	assert_non_null(strstr(got, "Set-Cookie: bc_click=t.token-12; "));
	assert_int_equal(landings(BC_LANDING_COOKIE), 1);
}

static void bodies_have_a_budget_and_give_it_back(void **state)
{
	(void)state;
	edge->bodies_bytes = EDGE_BODIES_BYTES - 29; /* others' */
	dial();
	say(FORM);
	run_until(heard, NULL);
	assert_true(strncmp(got, "HTTP/1.1 204 ", 13) == 0 && !strstr(got, "Set-Cookie"));
	assert_int_equal(edge->bodies_bytes, EDGE_BODIES_BYTES - 29);
	edge->bodies_bytes = 0;
	dial();
	say(FORM);
	run_until(heard, NULL);
	assert_non_null(strstr(got, "Set-Cookie"));
	assert_int_equal(edge->bodies_bytes, 0);
	/* Half of one, whose sender goes. */
	dial();
	say("POST /v1/c HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nu=%2F");
	run_for(20);
	assert_int_equal(edge->bodies_bytes, 5);
	hang_up();
	run_for(20);
	assert_int_equal(edge->bodies_bytes, 0);
	assert_int_equal(edge->calls, 0);
}

static void the_end_waits_for_a_landing_that_is_under_way(void **state)
{
	(void)state;
	dial();
	stall(BC_STORE_PUT_CLICK);
	say(LANDING);
	run_for(50);
	edge_closed = false;
	bc_edge_close(edge, 10 * 1000, on_closed, NULL);
	run_for(50);
	assert_false(edge_closed);
	go_on();
	run_until(is_set, &edge_closed);
	run_until(heard, NULL);
	assert_non_null(strstr(got, "Set-Cookie: bc_click=c."));
	bc_edge_destroy(edge);
	edge = NULL;
}

static void the_end_outlives_a_connection_that_it_cut(void **state)
{
	(void)state;
	dial();
	stall(BC_STORE_PUT_CLICK);
	say(LANDING);
	run_for(50);
	edge_closed = false;
	bc_edge_close(edge, 20, on_closed, NULL);
	run_for(200);
	assert_false(edge_closed); /* the store still has it */
	go_on();
	run_until(is_set, &edge_closed);
	bc_edge_destroy(edge);
	edge = NULL;
	assert_int_equal(landings(BC_LANDING_STORED), 1);
}

static void settings_change_without_a_restart(void **state)
{
	struct bc_settings *tight = load("BACKCHANNEL_EDGE_BURST=1");
	(void)state;
	rig.config.references = 2;
	bc_edge_reconfigure(edge, tight, &rig.config);
	bc_settings_unref(tight);
	for (int i = 0; i < 3; i++) {
		dial();
		say(LANDING);
		run_until(heard, NULL);
	}
	assert_int_equal(landings(BC_LANDING_STORED), 1);
	assert_int_equal(landings(BC_LANDING_LIMITED), 2);
}

static bool create_and_close(void *ctx)
{
	int result = create(NULL);
	(void)ctx;
	assert_true(result == 0 || result == BC_ENOMEM);
	if (!result)
		close_edge();
	return !result;
}

static void without_memory_it_is_not_opened(void **state)
{
	(void)state;
	close_edge();
	each_allocation_failing(create_and_close, NULL);
}

/* One answer, or an end; never silence, and the next visitor is served. */
static void without_memory_a_landing_is_answered_or_its_connection_closed(void **state)
{
	static const char *const requests[] = { LANDING, FORM,
						"GET /no/such HTTP/1.1\r\nHost: x\r\n\r\n",
						"GET /capture.js HTTP/1.1\r\nHost: x\r\n\r\n" };
	(void)state;
	for (size_t i = 0; i < BC_COUNT(requests); i++)
		for (unsigned long nth = 1; nth <= 40; nth++) {
			dial();
			say(requests[i]);
			fail_allocation(nth);
			bool answered = run_until_within(heard, NULL, 5000);
			fail_allocation(0);
			assert_true(answered);
			assert_true(ended || strncmp(got, "HTTP/1.1 ", 9) == 0);
		}
	dial();
	say(LANDING);
	run_until(heard, NULL);
	assert_non_null(strstr(got, "Set-Cookie: bc_click=c."));
	assert_int_equal(edge->calls, 0);
	assert_int_equal(edge->bodies_bytes, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_landing_is_answered_when_it_is_stored),
		TEST(a_refused_landing_takes_its_token_along),
		TEST(bodies_have_a_budget_and_give_it_back),
		TEST(the_end_waits_for_a_landing_that_is_under_way),
		TEST(the_end_outlives_a_connection_that_it_cut),
		TEST(settings_change_without_a_restart),
		TEST(without_memory_it_is_not_opened),
		TEST(without_memory_a_landing_is_answered_or_its_connection_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

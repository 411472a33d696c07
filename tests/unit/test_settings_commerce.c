/* SPDX-License-Identifier: MIT */
/* Settings of Adobe Commerce: the vendors' names, and what a daemon needs to start with it. */
#include "settings_fixture.h"

static void assert_reveals(const struct bc_secret *secret, const char *wanted)
{
	assert_non_null(secret);
	assert_true(bc_secret_equals(secret, wanted, strlen(wanted)));
}

static void the_guides_env_file_is_enough(void **state)
{
	struct fixture *f = *state;
	struct bc_err err = { 0 };

	put_file(f, ".env",
		 "IMS_CLIENT_ID=client-1\nIMS_CLIENT_SECRET=secret-canary\n"
		 "IMS_ORG_ID=0A1B@AdobeOrg\n"
		 "API_ENDPOINT=https://na1.api.commerce.adobe.com/TenantX/\n");
	assert_quiet(f);
	assert_int_equal(bc_settings_check_startable(f->s, NULL, &err), 0);
	assert_string_equal(f->s->oauth_client_id, "client-1");
	assert_reveals(f->s->oauth_client_secret, "secret-canary");
	assert_string_equal(f->s->oauth_org_id, "0A1B@AdobeOrg");
	assert_string_equal(f->s->oauth_endpoint, "https://ims-na1.adobelogin.com/ims/token/v3");
	assert_string_equal(f->s->oauth_scope,
			    "openid,AdobeID,email,profile,additional_info.roles,"
			    "additional_info.projectedProductContext,commerce.accs");
	assert_false(f->s->oauth_basic);
	assert_string_equal(f->s->commerce_base_url, "https://na1.api.commerce.adobe.com/TenantX");
	assert_int_equal(f->s->commerce_is, BC_COMMERCE_SAAS);
}

static void the_names_of_adobes_tools_are_taken_as_they_write_them(void **state)
{
	struct fixture *f = *state;

	set_env(f, "AIO_COMMERCE_AUTH_IMS_CLIENT_ID=client-1");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_CLIENT_SECRETS=[\"first-canary\", \"second-canary\"]");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_ORG_ID=0A1B@AdobeOrg");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_SCOPES=[\"openid\",\"commerce.accs\"]");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_ENVIRONMENT=stage");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_TECHNICAL_ACCOUNT_ID=x@techacct.adobe.com");
	set_env(f, "AIO_COMMERCE_AUTH_IMS_TECHNICAL_ACCOUNT_EMAIL=x@y.example");
	set_env(f, "AIO_COMMERCE_API_BASE_URL=http://127.0.0.1:9/tenant");
	set_env(f, "AIO_COMMERCE_API_FLAVOR=paas");
	assert_quiet(f);
	assert_reveals(f->s->oauth_client_secret, "first-canary");
	assert_reveals(f->s->oauth_client_secret_next, "second-canary");
	assert_string_equal(f->s->oauth_scope, "openid,commerce.accs");
	assert_string_equal(f->s->oauth_endpoint,
			    "https://ims-na1-stg1.adobelogin.com/ims/token/v3");
	assert_int_equal(f->s->commerce_is, BC_COMMERCE_PAAS);
}

static void one_secret_in_an_array_is_that_secret(void **state)
{
	struct fixture *f = *state;

	set_env(f, "AIO_COMMERCE_AUTH_IMS_CLIENT_SECRETS=[\"first-canary\"]");
	set_env(f, "IMS_CLIENT_SECRET_NEXT=next-canary");
	assert_quiet(f);
	assert_reveals(f->s->oauth_client_secret, "first-canary");
	assert_reveals(f->s->oauth_client_secret_next, "next-canary");
}

static void a_secret_that_only_looks_like_an_array_stays_as_it_is(void **state)
{
	struct fixture *f = *state;

	set_env(f, "IMS_CLIENT_SECRET=[not json");
	assert_quiet(f);
	assert_reveals(f->s->oauth_client_secret, "[not json");
	assert_null(f->s->oauth_client_secret_next);
}

static void another_oauth_server_is_named_whole(void **state)
{
	struct fixture *f = *state;

	put_file(f, "backchannel.conf",
		 "[oauth]\ntoken_url = https://login.example/oauth/token\nscopes = a b\n"
		 "scope_separator = space\nauth = basic\n");
	assert_quiet(f);
	assert_string_equal(f->s->oauth_endpoint, "https://login.example/oauth/token");
	assert_string_equal(f->s->oauth_scope, "a b");
	assert_true(f->s->oauth_basic);
}

static void no_scopes_at_all_can_be_asked_for(void **state)
{
	struct fixture *f = *state;

	set_env(f, "IMS_SCOPES=none");
	assert_quiet(f);
	assert_null(f->s->oauth_scope);
}

static void api_endpoint_is_nobodys_without_an_oauth_client(void **state)
{
	struct fixture *f = *state;

	set_env(f, "API_ENDPOINT=https://something.example/else");
	assert_quiet(f);
	assert_null(f->s->commerce_base_url);
	set_env(f, "IMS_CLIENT_ID=client-1");
	assert_quiet(f);
	assert_string_equal(f->s->commerce_base_url, "https://something.example/else");
}

static void half_of_a_commerce_client_refuses_to_start(void **state)
{
	static const struct {
		const char *set[3], *says;
	} rows[] = {
		{ { "IMS_CLIENT_ID=client-1", "API_ENDPOINT=https://c.example/t" },
		  "IMS_CLIENT_SECRET is missing, though IMS_CLIENT_ID is set" },
		{ { "IMS_CLIENT_SECRET=s3cret-canary", "API_ENDPOINT=https://c.example/t" },
		  "IMS_CLIENT_ID is missing, though IMS_CLIENT_SECRET is set" },
		{ { "IMS_CLIENT_SECRET=s3cret-canary", "IMS_CLIENT_ID=client-1" },
		  "API_ENDPOINT is missing, though IMS_CLIENT_ID is set" },
		{ { "BACKCHANNEL_COMMERCE_BASE_URL=https://c.example/t" },
		  "IMS_CLIENT_ID is missing, though API_ENDPOINT is set" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		struct bc_err err = { 0 };

		clear_env(f);
		for (size_t k = 0; k < BC_COUNT(rows[i].set) && rows[i].set[k]; k++)
			set_env(f, "%s", rows[i].set[k]);
		assert_quiet(f);
		assert_int_equal(bc_settings_check_startable(f->s, &f->report, &err), BC_EINVAL);
		assert_string_equal(err.text, rows[i].says);
		assert_true(strlen(err.hint) > 10);
		assert_silent_about(f, "canary");
	}
}

static void bad_values_are_named(void **state)
{
	static const struct {
		const char *name, *value, *text;
	} rows[] = {
		{ "OAUTH_BASE_URL", "production", "is no URL" },
		{ "OAUTH_BASE_URL", "http://ims.example", "its host is not this machine" },
		{ "OAUTH_SCOPES", "a,\"b", "is no list of scopes" },
		{ "OAUTH_SCOPE_SEPARATOR", ";", "is no choice that there is" },
		{ "OAUTH_AUTH", "digest", "is no choice that there is" },
		{ "OAUTH_ORG_ID", "a b", "cannot stand in a header" },
		{ "COMMERCE_FLAVOR", "cloud", "is no choice that there is" },
		{ "COMMERCE_BASE_URL", "https://c.example/t?x", "has a query" },
		{ "GATEWAY_ALLOW", "/V1/orders", "has no method in front" },
		{ "GATEWAY_ALLOW", "GET", "is no method and path prefix" },
		{ "GATEWAY_ALLOW", "get /V1", "has no method in front" },
		{ "GATEWAY_HOLD", "17MiB", "is too large" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < BC_COUNT(rows); i++) {
		clear_env(f);
		set_env(f, "BACKCHANNEL_%s=%s", rows[i].name, rows[i].value);
		assert_refused(f);
		assert_says(f, rows[i].text);
	}
}

static void allowed_calls_are_a_list(void **state)
{
	struct fixture *f = *state;

	set_env(f, "BACKCHANNEL_GATEWAY_ALLOW=GET /V1/orders, * /V1/products");
	assert_quiet(f);
	assert_string_equal(f->s->gateway_allow[0], "GET /V1/orders");
	assert_string_equal(f->s->gateway_allow[1], "* /V1/products");
	assert_null(f->s->gateway_allow[2]);
}

static void a_slip_in_a_vendors_name_is_spoken_of_and_a_strangers_is_not(void **state)
{
	struct fixture *f = *state;

	set_env(f, "IMS_CLIENT_SECRT=canary");
	set_env(f, "AIO_COMMERCE_SOMETHING_ELSE=1");
	assert_loads(f);
	assert_says(f, "did you mean \"IMS_CLIENT_SECRET\"?");
	assert_silent_about(f, "SOMETHING_ELSE");
	assert_silent_about(f, "canary");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		settings_test(the_guides_env_file_is_enough),
		settings_test(the_names_of_adobes_tools_are_taken_as_they_write_them),
		settings_test(one_secret_in_an_array_is_that_secret),
		settings_test(a_secret_that_only_looks_like_an_array_stays_as_it_is),
		settings_test(another_oauth_server_is_named_whole),
		settings_test(no_scopes_at_all_can_be_asked_for),
		settings_test(api_endpoint_is_nobodys_without_an_oauth_client),
		settings_test(half_of_a_commerce_client_refuses_to_start),
		settings_test(bad_values_are_named),
		settings_test(allowed_calls_are_a_list),
		settings_test(a_slip_in_a_vendors_name_is_spoken_of_and_a_strangers_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

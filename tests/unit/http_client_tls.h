/* SPDX-License-Identifier: MIT */
/* A TLS identity for the other side of the HTTP client's tests. */
#ifndef BC_TESTS_HTTP_CLIENT_TLS_H
#define BC_TESTS_HTTP_CLIENT_TLS_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* A certificate for 127.0.0.1 signed by itself; its PEM goes to path (as mkstemp's). */
static inline SSL_CTX *make_tls(char *path)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	X509_EXTENSION *name =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	FILE *file = fdopen(mkstemp(path), "w");

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, name, -1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, cert), 1);
	fclose(file);
	SSL_CTX_use_certificate(tls, cert);
	SSL_CTX_use_PrivateKey(tls, key);
	X509_EXTENSION_free(name);
	X509_free(cert);
	EVP_PKEY_free(key);
	return tls;
}

#endif

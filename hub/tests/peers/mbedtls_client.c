/*
 * A DTLS 1.2 client on Mbed TLS with Connection ID (RFC 9146), driven over stdin by the
 * interoperability tests: a peer whose record layer and handshake nobody here wrote.
 *
 * Usage: mbedtls-client key=value ...
 *   host=127.0.0.1 port=5684   where the hub listens
 *   ca=FILE cert=FILE key=FILE PEM files; name=HOST is checked against the server's certificate
 *   cid=none|empty|HEX         its own Connection ID; none does not offer the extension
 *   mtu=BYTES                  largest datagram it sends in the handshake; 0 is the library's own
 *   suite=gcm|ccm|ccm8         the one cipher suite it offers
 *
 * stdin, one command a line: HEX sends one application datagram; `rebind` goes on from another
 * local port with the same session; `resume HOST PORT` goes on as after a restart, from
 * another local port: a handshake that asks to resume the session; `close` sends close_notify
 * and ends.
 * stdout, one event a line: `connected ...`, `rebound local=PORT`, `received HEX`, `closed`,
 * `failed ...` (exit code 1).
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/net_sockets.h"
#include "mbedtls/ssl.h"
#include "mbedtls/timing.h"
#include "psa/crypto.h"

#define DATAGRAM_MAX 2048
#define LINE_MAX_BYTES (2 * DATAGRAM_MAX + 16)

struct options {
    const char *host, *port, *ca, *cert, *key, *name, *cid, *mtu, *suite;
};

static void fail(const char *what, int code)
{
    char text[160] = "";
    if (code != 0)
        mbedtls_strerror(code, text, sizeof(text));
    printf("failed %s: -0x%04x %s\n", what, (unsigned) -code, text);
    exit(1);
}

static const char **option(struct options *options, const char *key, size_t length)
{
    const struct { const char *key; const char **value; } known[] = {
        { "host", &options->host }, { "port", &options->port }, { "ca", &options->ca },
        { "cert", &options->cert }, { "key", &options->key },   { "name", &options->name },
        { "cid", &options->cid },   { "mtu", &options->mtu },   { "suite", &options->suite },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].key) == length && memcmp(known[i].key, key, length) == 0)
            return known[i].value;
    return NULL;
}

static struct options parse(int argc, char **argv)
{
    struct options options = { "127.0.0.1", "5684", NULL, NULL, NULL, "localhost",
                               "none", "0", "gcm" };
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        const char **value =
            equals ? option(&options, argv[i], (size_t) (equals - argv[i])) : NULL;
        if (value == NULL) {
            fprintf(stderr, "unknown option: %s\n", argv[i]);
            exit(2);
        }
        *value = equals + 1;
    }
    if (options.ca == NULL || options.cert == NULL || options.key == NULL) {
        fprintf(stderr, "ca=, cert= and key= are needed\n");
        exit(2);
    }
    return options;
}

/* Returns the number of bytes, or -1 when the text is not hexadecimal or too long. */
static int from_hex(const char *text, unsigned char *out, size_t room)
{
    size_t digits = strlen(text);
    if (digits % 2 != 0 || digits / 2 > room)
        return -1;
    for (size_t i = 0; i < digits / 2; i++) {
        char pair[3] = { text[2 * i], text[2 * i + 1], 0 }, *end;
        out[i] = (unsigned char) strtoul(pair, &end, 16);
        if (*end != 0)
            return -1;
    }
    return (int) (digits / 2);
}

static void print_hex(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
}

static int suite_of(const char *name)
{
    if (strcmp(name, "ccm") == 0)
        return MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM;
    if (strcmp(name, "ccm8") == 0)
        return MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
    return MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
}

static int local_port(const mbedtls_net_context *socket)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    if (getsockname(socket->fd, (struct sockaddr *) &address, &length) != 0)
        return 0;
    return ntohs(address.sin_port);
}

static void open_socket(mbedtls_net_context *socket, const struct options *options)
{
    int code = mbedtls_net_connect(socket, options->host, options->port, MBEDTLS_NET_PROTO_UDP);
    if (code != 0)
        fail("socket", code);
    mbedtls_net_set_nonblock(socket);
}

static void handshake(mbedtls_ssl_context *ssl, mbedtls_net_context *socket)
{
    for (;;) {
        int code = mbedtls_ssl_handshake(ssl);
        if (code == 0)
            return;
        if (code != MBEDTLS_ERR_SSL_WANT_READ && code != MBEDTLS_ERR_SSL_WANT_WRITE)
            fail("handshake", code);
        struct pollfd ready = { .fd = socket->fd, .events = POLLIN };
        poll(&ready, 1, 50); /* short, so that the library's own timer is looked at */
    }
}

static void report_connected(mbedtls_ssl_context *ssl, const mbedtls_net_context *socket,
                             int resumed)
{
    unsigned char peer[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t length = 0;
    int enabled = 0;
    printf("connected cid=");
    if (mbedtls_ssl_get_peer_cid(ssl, &enabled, peer, &length) == 0 && enabled) {
        if (length == 0)
            printf("empty");
        print_hex(peer, length);
    } else {
        printf("none");
    }
    printf(" suite=%s local=%d resumed=%s\n", mbedtls_ssl_get_ciphersuite(ssl),
           local_port(socket), resumed ? "yes" : "no");
}

/* Offers a Connection ID in the next handshake, if one is to be offered. */
static void offer_cid(mbedtls_ssl_context *ssl, const struct options *options)
{
    unsigned char own[MBEDTLS_SSL_CID_IN_LEN_MAX];
    int length = 0;
    if (strcmp(options->cid, "none") == 0)
        return;
    if (strcmp(options->cid, "empty") != 0)
        length = from_hex(options->cid, own, sizeof(own));
    int code = mbedtls_ssl_set_cid(ssl, MBEDTLS_SSL_CID_ENABLED, own, (size_t) length);
    if (code != 0)
        fail("cid", code);
}

/* Keeps what resumes the session, which the library tells once; whether it is the one before. */
static int keep(mbedtls_ssl_context *ssl, mbedtls_ssl_session *session)
{
    mbedtls_ssl_session now;
    mbedtls_ssl_session_init(&now);
    int code = mbedtls_ssl_get_session(ssl, &now);
    if (code != 0)
        fail("session", code);
    size_t length = mbedtls_ssl_session_get_id_len(&now);
    int same = length > 0 && length == mbedtls_ssl_session_get_id_len(session) &&
               memcmp(*mbedtls_ssl_session_get_id(&now), *mbedtls_ssl_session_get_id(session),
                      length) == 0;
    mbedtls_ssl_session_free(session);
    *session = now;
    return same;
}

/* Forgets all but what resumes the session, and shakes hands again from another local port. */
static void resume(mbedtls_ssl_context *ssl, mbedtls_net_context *socket,
                   mbedtls_ssl_session *session, const struct options *options)
{
    mbedtls_net_context fresh;
    int code = mbedtls_ssl_session_reset(ssl);
    if (code == 0)
        code = mbedtls_ssl_set_session(ssl, session);
    if (code != 0)
        fail("session", code);
    offer_cid(ssl, options);
    mbedtls_net_init(&fresh);
    open_socket(&fresh, options);
    mbedtls_net_free(socket);
    socket->fd = fresh.fd;
    handshake(ssl, socket);
    report_connected(ssl, socket, keep(ssl, session));
}

/* Reads every datagram that waits; 0 when the peer closed the session. */
static int receive(mbedtls_ssl_context *ssl)
{
    unsigned char datagram[DATAGRAM_MAX];
    for (;;) {
        int code = mbedtls_ssl_read(ssl, datagram, sizeof(datagram));
        if (code > 0) {
            printf("received ");
            print_hex(datagram, (size_t) code);
            printf("\n");
        } else if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return 1;
        } else if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || code == 0) {
            printf("closed by peer\n");
            return 0;
        } else {
            fail("read", code);
        }
    }
}

/* Performs one line of stdin; 0 when the session is to end. */
static int perform(const char *line, mbedtls_ssl_context *ssl, mbedtls_net_context *socket,
                   mbedtls_ssl_session *session, struct options *options)
{
    static char host[64], port[8];
    unsigned char datagram[DATAGRAM_MAX];
    if (sscanf(line, "resume %63s %7s", host, port) == 2) {
        options->host = host;
        options->port = port;
        resume(ssl, socket, session, options);
        return 1;
    }
    if (strcmp(line, "close") == 0) {
        mbedtls_ssl_close_notify(ssl);
        return 0;
    }
    if (strcmp(line, "rebind") == 0) {
        mbedtls_net_context fresh;
        mbedtls_net_init(&fresh);
        open_socket(&fresh, options); /* before the old one is closed: the port must differ */
        mbedtls_net_free(socket);
        socket->fd = fresh.fd;
        printf("rebound local=%d\n", local_port(socket));
        return 1;
    }
    int length = from_hex(line, datagram, sizeof(datagram));
    if (length < 0)
        fail("stdin is not hexadecimal", 0);
    int code = mbedtls_ssl_write(ssl, datagram, (size_t) length);
    if (code < 0)
        fail("write", code);
    return 1;
}

static void serve_stdin(mbedtls_ssl_context *ssl, mbedtls_net_context *socket,
                        mbedtls_ssl_session *session, struct options *options)
{
    static char pending[LINE_MAX_BYTES];
    size_t held = 0;
    for (;;) {
        struct pollfd ready[2] = { { .fd = socket->fd, .events = POLLIN },
                                   { .fd = STDIN_FILENO, .events = POLLIN } };
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            fail("poll", 0);
        if (ready[0].revents != 0 && !receive(ssl))
            return;
        if (ready[1].revents == 0)
            continue;
        ssize_t got = read(STDIN_FILENO, pending + held, sizeof(pending) - 1 - held);
        if (got <= 0)
            return;
        held += (size_t) got;
        for (char *end; (end = memchr(pending, '\n', held)) != NULL;) {
            *end = 0;
            if (!perform(pending, ssl, socket, session, options))
                return;
            held -= (size_t) (end + 1 - pending);
            memmove(pending, end + 1, held);
        }
        if (held == sizeof(pending) - 1)
            fail("a line of stdin is too long", 0);
    }
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);

    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt ca, certificate;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_session session;
    mbedtls_net_context socket;
    mbedtls_timing_delay_context timer;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_x509_crt_init(&ca);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_session_init(&session);
    mbedtls_net_init(&socket);
    psa_crypto_init();

    int code = mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0);
    if (code != 0)
        fail("random", code);
    if ((code = mbedtls_x509_crt_parse_file(&ca, options.ca)) != 0)
        fail(options.ca, code);
    if ((code = mbedtls_x509_crt_parse_file(&certificate, options.cert)) != 0)
        fail(options.cert, code);
    if ((code = mbedtls_pk_parse_keyfile(&key, options.key, NULL, mbedtls_ctr_drbg_random,
                                         &random)) != 0)
        fail(options.key, code);

    code = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (code != 0)
        fail("configuration", code);
    const int suites[] = { suite_of(options.suite), 0 };
    unsigned char own[MBEDTLS_SSL_CID_IN_LEN_MAX];
    int own_length = 0;
    int offers_cid = strcmp(options.cid, "none") != 0;
    if (offers_cid && strcmp(options.cid, "empty") != 0)
        own_length = from_hex(options.cid, own, sizeof(own));
    if (own_length < 0)
        fail("cid is not hexadecimal", 0);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_own_cert(&config, &certificate, &key);
    mbedtls_ssl_conf_handshake_timeout(&config, 500, 8000);
    if ((code = mbedtls_ssl_conf_cid(&config, (size_t) own_length,
                                     MBEDTLS_SSL_UNEXPECTED_CID_IGNORE)) != 0)
        fail("cid length", code);
    if ((code = mbedtls_ssl_setup(&ssl, &config)) != 0)
        fail("setup", code);
    if ((code = mbedtls_ssl_set_hostname(&ssl, options.name)) != 0)
        fail("name", code);
    offer_cid(&ssl, &options);
    if (atoi(options.mtu) > 0)
        mbedtls_ssl_set_mtu(&ssl, (uint16_t) atoi(options.mtu));
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    open_socket(&socket, &options);
    mbedtls_ssl_set_bio(&ssl, &socket, mbedtls_net_send, mbedtls_net_recv, NULL);

    handshake(&ssl, &socket);
    report_connected(&ssl, &socket, keep(&ssl, &session));
    serve_stdin(&ssl, &socket, &session, &options);
    printf("closed\n");
    mbedtls_net_free(&socket);
    return 0;
}

/*
 * A DTLS client without a socket, a clock or randomness of its own: datagrams, time and seed are given.
 * One call at a time; nothing here waits.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/platform_time.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/sha256.h"
#include "mbedtls/ssl.h"

#define SEED 32
#define DAMAGED (-1)

/* As in src/lib.rs. */
struct client_identity {
    const unsigned char *seed;
    uint32_t start;
    const char *name;
    const unsigned char *key, *certificate, *root;
    size_t key_length, certificate_length, root_length;
};

struct client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt own, root;
    mbedtls_pk_context key;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_session session;
    int has_session;
    const char *name;
    unsigned char seed[SEED];
    uint32_t start, drawn;
    uint32_t now, timer_begun, timer_intermediate, timer_final;
    const unsigned char *in;
    size_t in_length;
    void *out;
    int is_time_known;
};

/* In src/lib.rs. */
void client_transmit(void *out, const unsigned char *bytes, size_t length);

static time_t wall_clock;

time_t client_time(time_t *into)
{
    if (into != NULL)
        *into = wall_clock;
    return wall_clock;
}

mbedtls_ms_time_t mbedtls_ms_time(void)
{
    return (mbedtls_ms_time_t) wall_clock * 1000;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *of, struct tm *into)
{
    return gmtime_r(of, into);
}

/* Digests of the seed, the start's number and a count: different ones at every start of every board. */
static int draw(void *context, unsigned char *into, size_t length)
{
    struct client *client = context;
    unsigned char block[SEED + 8], digest[32];
    memcpy(block, client->seed, SEED);
    memcpy(block + SEED, &client->start, 4);
    while (length > 0) {
        size_t piece = length < sizeof(digest) ? length : sizeof(digest);
        client->drawn++;
        memcpy(block + SEED + 4, &client->drawn, 4);
        int code = mbedtls_sha256(block, sizeof(block), digest, 0);
        if (code != 0)
            return code;
        memcpy(into, digest, piece);
        into += piece;
        length -= piece;
    }
    mbedtls_platform_zeroize(block, sizeof(block));
    mbedtls_platform_zeroize(digest, sizeof(digest));
    return 0;
}

static void set_timer(void *context, uint32_t intermediate, uint32_t final)
{
    struct client *client = context;
    client->timer_begun = client->now;
    client->timer_intermediate = intermediate;
    client->timer_final = final;
}

static int get_timer(void *context)
{
    const struct client *client = context;
    uint32_t passed = client->now - client->timer_begun;
    if (client->timer_final == 0)
        return -1;
    if (passed >= client->timer_final)
        return 2;
    return passed >= client->timer_intermediate;
}

static int send_datagram(void *context, const unsigned char *bytes, size_t length)
{
    struct client *client = context;
    client_transmit(client->out, bytes, length);
    return (int) length;
}

static int receive_datagram(void *context, unsigned char *into, size_t room)
{
    struct client *client = context;
    size_t length = client->in_length < room ? client->in_length : room;
    if (length == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(into, client->in, length);
    client->in_length = 0;
    return (int) length;
}

/* A board that knows only when it was made cannot say that a certificate is of the future. */
static int judge(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
    const struct client *client = context;
    (void) certificate;
    (void) depth;
    if (!client->is_time_known)
        *flags &= ~(uint32_t) MBEDTLS_X509_BADCERT_FUTURE;
    return 0;
}

static int set_up(struct client *client, const struct client_identity *identity)
{
    static const int suites[] = { MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0 };
    static const uint16_t groups[] = { MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0 };
    static const uint16_t signatures[] = { MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, 0 };
    mbedtls_ssl_config *config = &client->config;
    int code = mbedtls_ctr_drbg_seed(&client->random, draw, client, NULL, 0);
    if (code == 0)
        code = mbedtls_x509_crt_parse_der(&client->own, identity->certificate,
                                          identity->certificate_length);
    if (code == 0)
        code = mbedtls_x509_crt_parse_der(&client->root, identity->root, identity->root_length);
    if (code == 0)
        code = mbedtls_pk_parse_key(&client->key, identity->key, identity->key_length, NULL, 0,
                                    mbedtls_ctr_drbg_random, &client->random);
    if (code == 0)
        code = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT,
                                           MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (code != 0)
        return code;
    mbedtls_ssl_conf_ciphersuites(config, suites);
    mbedtls_ssl_conf_groups(config, groups);
    mbedtls_ssl_conf_sig_algs(config, signatures);
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &client->random);
    mbedtls_ssl_conf_ca_chain(config, &client->root, NULL);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_verify(config, judge, client);
    mbedtls_ssl_conf_handshake_timeout(config, 2000, 32000);
    code = mbedtls_ssl_conf_own_cert(config, &client->own, &client->key);
    /* The hub needs no id to reach a board: what it sends is shorter without one. */
    if (code == 0)
        code = mbedtls_ssl_conf_cid(config, 0, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE);
    if (code == 0)
        code = mbedtls_ssl_setup(&client->ssl, config);
    if (code == 0)
        code = mbedtls_ssl_set_hostname(&client->ssl, identity->name);
    if (code != 0)
        return code;
    mbedtls_ssl_set_mtu(&client->ssl, 1200);
    mbedtls_ssl_set_timer_cb(&client->ssl, client, set_timer, get_timer);
    mbedtls_ssl_set_bio(&client->ssl, client, send_datagram, receive_datagram, NULL);
    return 0;
}

/* What the identity points to is copied, but for the name. NULL and a code where it is of no use. */
struct client *client_new(const struct client_identity *identity, void *out, int *code)
{
    struct client *client = calloc(1, sizeof(*client));
    *code = DAMAGED;
    if (client == NULL)
        return NULL;
    memcpy(client->seed, identity->seed, SEED);
    client->start = identity->start;
    client->name = identity->name;
    client->out = out;
    mbedtls_ssl_init(&client->ssl);
    mbedtls_ssl_config_init(&client->config);
    mbedtls_x509_crt_init(&client->own);
    mbedtls_x509_crt_init(&client->root);
    mbedtls_pk_init(&client->key);
    mbedtls_ctr_drbg_init(&client->random);
    mbedtls_ssl_session_init(&client->session);
    *code = set_up(client, identity);
    /* A board that cannot have one has nothing to go on with: nothing is given back. */
    return *code == 0 ? client : NULL;
}

void client_set_time(struct client *client, int64_t unix_s, int is_known)
{
    wall_clock = (time_t) unix_s;
    client->is_time_known = is_known;
}

/* Begins a handshake, which asks to resume the session before, if there was one. */
int client_begin(struct client *client)
{
    int code = mbedtls_ssl_session_reset(&client->ssl);
    client->in_length = 0;
    if (code == 0 && client->has_session)
        code = mbedtls_ssl_set_session(&client->ssl, &client->session);
    if (code == 0)
        code = mbedtls_ssl_set_cid(&client->ssl, MBEDTLS_SSL_CID_ENABLED, NULL, 0);
    return code;
}

/* Goes on with it: 0 done, 1 not yet, less is failed. */
int client_handshake(struct client *client, uint32_t now, const unsigned char *in, size_t length)
{
    client->now = now;
    client->in = in;
    client->in_length = length;
    int code = mbedtls_ssl_handshake(&client->ssl);
    client->in_length = 0;
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE)
        return 1;
    return code;
}

/* Keeps what resumes the session: 1 if it is the one before, 0 if it is new, less is failed. */
int client_keep(struct client *client)
{
    mbedtls_ssl_session now;
    mbedtls_ssl_session_init(&now);
    int code = mbedtls_ssl_get_session(&client->ssl, &now);
    if (code != 0)
        return code;
    size_t length = mbedtls_ssl_session_get_id_len(&now);
    int same = client->has_session && length > 0 &&
               length == mbedtls_ssl_session_get_id_len(&client->session) &&
               memcmp(*mbedtls_ssl_session_get_id(&now),
                      *mbedtls_ssl_session_get_id(&client->session), length) == 0;
    mbedtls_ssl_session_free(&client->session);
    client->session = now;
    client->has_session = length > 0;
    return same;
}

void client_forget(struct client *client)
{
    mbedtls_ssl_session_free(&client->session);
    mbedtls_ssl_session_init(&client->session);
    client->has_session = 0;
}

/* Bytes of the id that the hub gave; less than 0 without one. */
int client_peer_cid(struct client *client)
{
    unsigned char id[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t length = 0;
    int enabled = 0;
    if (mbedtls_ssl_get_peer_cid(&client->ssl, &enabled, id, &length) != 0 || !enabled)
        return -1;
    return (int) length;
}

/* Whether the hub's certificate is valid now that the time is known. */
int client_is_peer_valid(struct client *client)
{
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&client->ssl);
    return peer != NULL && !mbedtls_x509_time_is_past(&peer->valid_to) &&
           !mbedtls_x509_time_is_future(&peer->valid_from);
}

/* Bytes of a message; 0 is none, less is a session of no more use. */
int client_read(struct client *client, uint32_t now, const unsigned char *in, size_t length,
                unsigned char *into, size_t room)
{
    client->now = now;
    client->in = in;
    client->in_length = length;
    int code = mbedtls_ssl_read(&client->ssl, into, room);
    client->in_length = 0;
    if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE)
        return 0;
    return code == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : code;
}

int client_write(struct client *client, const unsigned char *bytes, size_t length)
{
    int code = mbedtls_ssl_write(&client->ssl, bytes, length);
    return code < 0 ? code : 0;
}

int client_random(struct client *client, unsigned char *into, size_t length)
{
    return mbedtls_ctr_drbg_random(&client->random, into, length);
}

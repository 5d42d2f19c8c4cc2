#include "config/address.h"

#include <arpa/inet.h>
#include <string.h>

/* Not multicast, not "any", not everybody, not this host's loopback: no port has that address. */
static bool is_of_a_host(const struct address *a)
{
	static const uint8_t zero[sizeof(a->bytes)] = {0};
	static const uint8_t loopback[sizeof(a->bytes)] = {[15] = 1};

	if (memcmp(a->bytes, zero, sizeof(zero)) == 0)
		return false;
	if (a->version == 4)
		return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
	return a->bytes[0] != 0xff && memcmp(a->bytes, loopback, sizeof(loopback)) != 0;
}

bool address_set(struct address *a, const char *key, const char *text, struct complaint *c)
{
	struct address read = {0};

	if (inet_pton(AF_INET, text, read.bytes) == 1)
		read.version = 4;
	else if (inet_pton(AF_INET6, text, read.bytes) == 1)
		read.version = 6;
	else
		return complain(c, key,
			"'%.50s' is no IP address, give one such as 10.0.0.1 or fd00::1", text);
	if (!is_of_a_host(&read))
		return complain(c, key,
			"'%.50s' is not the address of one host, give one such as 10.0.0.1 or fd00::1",
			text);
	*a = read;
	return true;
}

static int hex_digit(char d)
{
	if (d >= '0' && d <= '9')
		return d - '0';
	if (d >= 'a' && d <= 'f')
		return d - 'a' + 10;
	if (d >= 'A' && d <= 'F')
		return d - 'A' + 10;
	return -1;
}

bool mac_set(uint8_t mac[ADDRESS_MAC_BYTES], const char *key, const char *text, struct complaint *c)
{
	static const uint8_t zero[ADDRESS_MAC_BYTES] = {0};
	uint8_t read[ADDRESS_MAC_BYTES];
	bool well = strlen(text) == ADDRESS_MAC_BYTES * 3 - 1;

	for (size_t i = 0; well && i < ADDRESS_MAC_BYTES; i++) {
		const char *pair = text + i * 3;
		int high = hex_digit(pair[0]);
		int low = hex_digit(pair[1]);

		well = high >= 0 && low >= 0 && (pair[2] == ':' || pair[2] == '\0');
		read[i] = (uint8_t)(well ? high * 16 + low : 0);
	}
	if (!well)
		return complain(c, key,
			"'%.40s' is no Ethernet address, give one such as 02:00:00:00:00:01", text);
	if ((read[0] & 1) != 0 || memcmp(read, zero, sizeof(zero)) == 0)
		return complain(c, key,
			"'%.40s' is not the address of one port, give one such as 02:00:00:00:00:01",
			text);
	memcpy(mac, read, ADDRESS_MAC_BYTES);
	return true;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void address_show(const struct address *a, char text[ADDRESS_TEXT_MAX])
{
	if (inet_ntop(a->version == 4 ? AF_INET : AF_INET6, a->bytes, text, ADDRESS_TEXT_MAX) ==
		NULL)
		text[0] = '\0';
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a libvirt save image: its head is written again as it was read, its XML converted for every kind of host
 * and then taken a second time without change. The first byte chooses: what follows is the whole image, or the XML alone,
 * or packed data of one of the forms.
 */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "filters/domain.h"
#include "stream/libvirt_image.h"

#define XML                                                                                                 \
	"<domain type='kvm'>\n<features><kvm><hidden state='on'/></kvm><ioapic driver='kvm'/></features>\n" \
	"<cpu mode='host-passthrough' check='full'/><clock><timer name='kvmclock'/></clock></domain>"
#define COOKIE "<cookie><cpu check='full'/></cookie>"

enum { WHOLE,
       TEXT,
       PACKED };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const uint32_t words[] = { 2, sizeof(XML) + sizeof(COOKIE) + 40, 1, 0, sizeof(XML) };
	const char *folder = seed_folder(*argc, *argv);
	uint8_t buf[1024] = { WHOLE };
	size_t head = 1 + LIBVIRT_IMAGE_HEADER_SIZE;

	if (!folder)
		return 0;
	memcpy(buf + 1, "LibvirtQemudSave", 16);
	memcpy(buf + 17, words, sizeof(words));
	memcpy(buf + head, XML, sizeof(XML));
	memcpy(buf + head + sizeof(XML), COOKIE, sizeof(COOKIE));
	seed_write(folder, "image", buf, head + words[1]);
	buf[0] = TEXT;
	memcpy(buf + 1, XML, sizeof(XML));
	seed_write(folder, "xml", buf, sizeof(XML));
	for (enum compression c = COMPRESSION_GZIP; c < COMPRESSIONS; c++) {
		int from = file_of((const uint8_t *)XML, sizeof(XML)), to = memfd_create("packed", 0);
		ssize_t n;

		lseek(from, 0, SEEK_SET);
		buf[0] = (uint8_t)(PACKED + c);
		if (compression_pack(c, from, to, NULL) || (n = pread(to, buf + 1, sizeof(buf) - 1, 0)) < 0)
			abort();
		seed_write(folder, compression_name(c), buf, (size_t)n + 1);
		close(to);
	}
	return 0;
}

static void convert(const char *xml, const char *cookie)
{
	static const char *const kinds[] = { "kvm", "kvm-split", "tcg" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct domain_text d = { strdup(xml), cookie ? strdup(cookie) : NULL };
		struct report report;
		struct profile to;

		report_init(&report);
		if (profile_parse(kinds[i], &to, NULL))
			abort();
		if (!domain_convert(&d, &to, &report, NULL) && report_worst(&report) < COST_FATAL) {
			size_t changes = report.count;

			if (domain_convert(&d, &to, &report, NULL) || report.count != changes)
				abort(); /* what was made is not taken, or changed again */
		}
		report_deinit(&report);
		free(d.xml);
		free(d.cookie);
	}
}

static void read_image(const uint8_t *data, size_t size)
{
	int fd = file_of(data, size), out;
	struct libvirt_image img;
	uint8_t *head;
	struct source src;

	if (source_init(&src, fd, NULL))
		abort();
	if (!libvirt_image_read(&img, &src, NULL)) {
		out = memfd_create("head", 0);
		head = malloc(img.size);
		if (libvirt_image_fit(&img, NULL) || libvirt_image_write_head(&img, out, NULL) ||
		    pread(out, head, img.size, 0) != (ssize_t)img.size || memcmp(head, data, 16) != 0)
			abort();
		free(head);
		close(out);
		convert(img.xml, img.cookie);
		libvirt_image_deinit(&img);
	}
	source_deinit(&src);
}

/* What comes out is bounded: a small input that unpacks to very much is no finding. */
static void unpack(enum compression c, const uint8_t *data, size_t size)
{
	int from = file_of(data, size), to = open("/dev/null", O_WRONLY | O_CLOEXEC);

	lseek(from, 0, SEEK_SET);
	compression_unpack(c, from, to, NULL);
	close(to);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	if (data[0] == WHOLE) {
		read_image(data + 1, size - 1);
	} else if (data[0] == TEXT) {
		text = strndup((const char *)data + 1, size - 1);
		convert(text, NULL);
		free(text);
	} else if (data[0] > PACKED && data[0] < PACKED + COMPRESSIONS) {
		unpack((enum compression)(data[0] - PACKED), data + 1, size - 1);
	}
	return 0;
}

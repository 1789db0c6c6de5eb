/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's save images: the stream inside one, and the domain's XML in front of it. */
#include <errno.h>
#include <unistd.h>

#include "cli/cli.h"
#include "filters/domain.h"

static int unpack(struct cli_input *in, int *ret_fd, struct irqs_error *reterr)
{
	int fd = source_spool_create(), rc = 0;

	if (fd < 0)
		return irqs_fail_errno(reterr, -fd, "cannot make a spool file (set TMPDIR)");
	if (lseek(in->source.fd, (off_t)in->image.size, SEEK_SET) < 0)
		rc = irqs_fail_errno(reterr, errno, "lseek");
	if (!rc)
		rc = compression_unpack(in->image.compression, in->source.fd, fd, reterr);
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = in->unpacked = fd;
	return 0;
}

int cli_image_open(struct cli_input *in, int *ret_fd, uint64_t *ret_start, struct irqs_error *reterr)
{
	int rc = libvirt_image_read(&in->image, &in->source, reterr);

	*ret_fd = in->source.fd;
	*ret_start = in->image.size;
	if (rc || in->image.compression == COMPRESSION_RAW)
		return rc;
	*ret_start = 0;
	return unpack(in, ret_fd, reterr);
}

void cli_image_close(struct cli_input *in)
{
	if (in->unpacked >= 0)
		close(in->unpacked);
	in->unpacked = -1;
	libvirt_image_deinit(&in->image);
}

int cli_image_convert(struct cli_input *in, const struct profile *to, enum report_cost allow, struct report *report,
		      struct irqs_error *reterr)
{
	struct libvirt_image *img = &in->image;
	struct domain_text text = { img->xml, img->cookie };
	size_t first = report->count;
	int rc = domain_convert(&text, to, report, reterr);

	img->xml = text.xml;
	img->cookie = text.cookie;
	if (rc)
		return rc;
	/* Mapped RAM lies at offsets of the file, whatever the header calls it. */
	img->sparse = img->sparse || in->stream.ram.mapped_bytes;
	rc = filter_judge(report, first, allow, reterr);
	return rc ? rc : libvirt_image_fit(img, reterr);
}

static int write_packed(struct cli_input *in, int fd, struct irqs_error *reterr)
{
	int spool = source_spool_create(), rc;

	if (spool < 0)
		return irqs_fail_errno(reterr, -spool, "cannot make a spool file (set TMPDIR)");
	rc = qemu_stream_write(&in->stream, spool, reterr);
	if (!rc && lseek(spool, 0, SEEK_SET) < 0)
		rc = irqs_fail_errno(reterr, errno, "lseek");
	if (!rc)
		rc = compression_pack(in->image.compression, spool, fd, reterr);
	close(spool);
	return rc;
}

int cli_image_write(struct cli_input *in, int fd, struct irqs_error *reterr)
{
	int rc = libvirt_image_write_head(&in->image, fd, reterr);

	if (rc)
		return rc;
	if (in->image.compression != COMPRESSION_RAW)
		return write_packed(in, fd, reterr);
	return qemu_stream_write(&in->stream, fd, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What no command has a meaning for is refused and not passed over, so that it may get one later. Roles: root user. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "genl.h"
#include "lab.h"

static struct {
	struct genl genl;
	struct genl_message message;
} bed;

static void make_bed(void)
{
	lab_have_module();
	cr_assert_eq(genl_open(&bed.genl), 0);
}

static void begin(uint8_t command)
{
	genl_begin(&bed.genl, &bed.message, command, command == IRQSHIFT_GENL_LIST_VMS ? NLM_F_DUMP : 0);
}

static void expect_refused(uint8_t command, const char *what)
{
	int rc = genl_send(&bed.genl, &bed.message, NULL, NULL);

	cr_expect_eq(rc, -EINVAL, "command %u with %s: %s", command, what, strerror(-rc));
}

#define FOR_EACH_COMMAND(c) for (uint8_t c = IRQSHIFT_GENL_GET_INFO; c <= IRQSHIFT_GENL_UNSUBSCRIBE; c++)

Test(strict, an_attribute_of_another_command_is_refused, .init = make_bed)
{
	FOR_EACH_COMMAND(c)
	{
		begin(c);
		genl_put_u32(&bed.message, IRQSHIFT_A_ABI, IRQSHIFT_ABI);
		expect_refused(c, "ABI");
	}
}

Test(strict, an_attribute_that_nobody_knows_is_refused, .init = make_bed)
{
	FOR_EACH_COMMAND(c)
	{
		begin(c);
		genl_put_u32(&bed.message, IRQSHIFT_A_COUNT, 0);
		expect_refused(c, "an unknown attribute");
	}
}

Test(strict, reserved_bytes_of_the_header_are_refused, .init = make_bed)
{
	FOR_EACH_COMMAND(c)
	{
		begin(c);
		bed.message.bytes[NLMSG_HDRLEN + offsetof(struct genlmsghdr, reserved)] = 1;
		expect_refused(c, "a reserved byte");
	}
}

Test(strict, flags_of_the_header_that_mean_nothing_are_refused, .init = make_bed)
{
	FOR_EACH_COMMAND(c)
	{
		begin(c);
		bed.message.bytes[offsetof(struct nlmsghdr, nlmsg_flags) + 1] |= NLM_F_EXCL >> 8 | NLM_F_CREATE >> 8;
		expect_refused(c, "flags for new objects");
	}
}

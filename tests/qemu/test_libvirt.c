/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real libvirt saves a domain under KVM, and restores what irqshift made of the image under TCG; and back. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/qemu/guest_log.h"
#include "tests/qemu/process.h"

#define LIMIT_S 90
#define TRIES 3
#define SESSION "tests/qemu/libvirt_session"
#define MOVES "tests/qemu/libvirt_moves"
#define HOOKED "tests/qemu/libvirt_hook"
#define HOOK "scripts/libvirt-hook"

struct format {
	char name[8];
	bool always; /* else only with IRQSHIFT_FULL=1 */
};

static char folder[] = "/tmp/irqshift-libvirt-XXXXXX";

static const char *missing(void)
{
	static const char *const programs[] = { "/usr/sbin/libvirtd", "/usr/sbin/virtlogd", "/usr/bin/virsh" };

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (access(programs[i], X_OK))
			return "libvirt is not installed (scripts/setup libvirt)";
	if (geteuid())
		return "libvirt in namespaces of its own needs root";
	if (access("/dev/kvm", R_OK | W_OK))
		return "there is no usable /dev/kvm";
	if (system("unshare --mount --pid --fork true 2>/dev/null"))
		return "this machine allows no new mount and process namespaces";
	return NULL;
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

TestSuite(libvirt, .fini = teardown, .timeout = 400);

static char *read_part(const char *name)
{
	char path[128];
	char *text;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	text = read_text(path);
	cr_assert(text, "%s is not there", path);
	return text;
}

static void write_part(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	cr_assert(f && fputs(text, f) >= 0 && !fclose(f));
}

/* Return: whether the guest went on; @what says how. */
static bool goes_on(const char *before, const char *after, const char *to, char *what, size_t size)
{
	struct guest_limits limits = guest_limits_default;
	struct guest_verdict v;
	struct guest_log log;

	/*
	 * libvirt stops the guest long before QEMU reads the LAPIC. The kernel's one-shot timer runs out meanwhile, and no
	 * stream says so: it fires once from IRR, and once more because its count is not known (see early_oneshots).
	 */
	limits.early_oneshots = 2;
	guest_log_read(&log, before, after);
	guest_judge(&log, &limits, &v);
	guest_log_free(&log);
	snprintf(what, size, "to %s: %s; runs: lapic %u oneshot %u pit %u rtc %u level %u", to, v.ok ? "goes on" : v.why,
		 v.ticks[GUEST_LAPIC], v.ticks[GUEST_ONESHOT], v.ticks[GUEST_PIT], v.ticks[GUEST_RTC], v.ticks[GUEST_LEVEL]);
	return v.ok;
}

static bool judge_both(const char *format)
{
	char *one = read_part("serial.1"), *two = read_part("serial.2"), *three = read_part("serial.3"), *both = NULL;
	char there[400], back[400];
	bool ok;

	cr_assert_geq(asprintf(&both, "%s%s", one, two), 0);
	ok = goes_on(one, two, "tcg", there, sizeof(there));
	ok = goes_on(both, three, "kvm", back, sizeof(back)) && ok;
	printf("  %-5s %s; %s\n", format, there, back);
	fflush(stdout);
	free(one);
	free(two);
	free(three);
	free(both);
	return ok;
}

static bool judge_hooked(void)
{
	char *one = read_part("serial.1"), *two = read_part("serial.2"), what[400];
	bool ok = goes_on(one, two, "tcg through the hook", what, sizeof(what));

	printf("  %s\n", what);
	fflush(stdout);
	free(one);
	free(two);
	return ok;
}

static void run_scenario(const char *scenario, const char *format)
{
	const char *const argv[] = { SESSION, folder, scenario, folder, NULL };
	char config[64], output[64];
	char *said;
	int rc;

	snprintf(config, sizeof(config), "save_image_format = \"%s\"\n", format);
	write_part("qemu.conf", config);
	snprintf(output, sizeof(output), "%s/output", folder);
	rc = process_run(argv, LIMIT_S, output);
	said = read_text(output);
	cr_assert_eq(rc, 0, "%s: %d: %s", format, rc, said ? said : "");
	free(said);
}

static void expect_in(const char *name, const char *text)
{
	char *all = read_part(name);

	cr_expect(strstr(all, text), "no \"%s\" in %s:\n%s", text, name, all);
	free(all);
}

ParameterizedTestParameters(libvirt, a_saved_domain_goes_on_under_the_other_kind_and_back)
{
	static struct format formats[] = { { "raw", true }, { "gzip", true }, { "bzip2", false }, { "xz", false }, { "lzop", false } };

	return cr_make_param_array(struct format, formats, sizeof(formats) / sizeof(formats[0]));
}

/* A busy machine makes a KVM guest lose ticks: what the conversion does wrong shows again. */
ParameterizedTest(const struct format *f, libvirt, a_saved_domain_goes_on_under_the_other_kind_and_back)
{
	const char *why = missing(), *full = getenv("IRQSHIFT_FULL");
	bool ok = false;

	cr_assert(mkdtemp(folder));
	if (!why && !f->always && !(full && *full == '1'))
		why = "only with IRQSHIFT_FULL=1";
	if (why)
		cr_skip_test("%s: %s", f->name, why);
	setenv("LIBVIRT_FEATURES", "<ioapic driver='kvm'/><kvm><hidden state='off'/></kvm>", 1);
	for (unsigned int try = 0; try < TRIES && !ok; try++) {
		run_scenario(MOVES, f->name);
		ok = judge_both(f->name);
	}
	cr_expect(ok);
	expect_in("tcg.xml", "<domain type='qemu'");
	expect_in("tcg.report", "domain.type: kvm -> qemu");
	expect_in("tcg.report", "domain.features.ioapic.driver: kvm");
	expect_in("tcg.report", "domain.clock.timer[kvmclock]");
	expect_in("kvm.xml", "<domain type='kvm'");
	expect_in("kvm.report", "domain.type: qemu -> kvm");
}

/* Exactly what libvirt takes from a hook: no other type, but another emulator. */
Test(libvirt, a_hook_hands_a_domain_of_the_other_kind_to_this_host_s_accelerator)
{
	const char *why = missing();
	char *hook;
	bool ok = false;

	cr_assert(mkdtemp(folder));
	if (why)
		cr_skip_test("hook: %s", why);
	hook = read_text(HOOK);
	cr_assert(hook);
	write_part("hook", hook);
	free(hook);
	/* x2APIC is what QEMU 7.2's TCG lacks of KVM's qemu64, and libvirt compares the CPU */
	setenv("LIBVIRT_CPU", "<cpu mode='custom' check='none'><model>qemu64</model><feature policy='disable' name='x2apic'/></cpu>", 1);
	for (unsigned int try = 0; try < TRIES && !ok; try++) {
		run_scenario(HOOKED, "raw");
		ok = judge_hooked();
	}
	cr_expect(ok);
	expect_in("hook.log", "no emulator is configured");
	expect_in("hook.log", "domain.type: kvm -> qemu");
	expect_in("tcg.xml", "<domain type='kvm'");
	expect_in("tcg.xml", "qemu-as-tcg</emulator>");
	expect_in("qemu.args", "-accel tcg");
}

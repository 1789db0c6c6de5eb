/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A conversion in place writes what differs and nothing else; whose file it is, and what recovery takes for its own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stream/in_place_priv.h"
#include "tests/unit/stream_builder.h"

#define PAGE 4096u
#define NOBODY 65534

static char dir[64], file[96], journal[128];
static struct irqs_error err;
static struct stream_builder built;

static void device(const char *name, uint32_t instance, uint64_t value)
{
	sb_device(&built, name, instance, "chip", 1);
	sb_int(&built, "value", "uint64", 8, value);
	sb_subsection(&built, "chip/more", 1);
	sb_int(&built, "other", "uint32", 4, 1);
	sb_subsection_end(&built);
	sb_device_end(&built);
}

static void save(void)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, built.out.data, built.out.size) == (ssize_t)built.out.size);
	close(fd);
}

/* A device before the RAM, RAM, three behind it, zeros at the end. */
static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/irqshift-in-place-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/guest", dir);
	snprintf(journal, sizeof(journal), "%s" IN_PLACE_JOURNAL, file);
	sb_init(&built);
	sb_header(&built);
	sb_config(&built, "pc");
	device("early", 0, 1);
	sb_ram_setup(&built, 4 * PAGE);
	sb_ram_part(&built);
	for (unsigned int i = 0; i < 4; i++)
		sb_ram_page(&built, (uint64_t)i * PAGE, i ? NULL : "pc.ram", (uint8_t)(i + 1));
	sb_ram_finish(&built);
	sb_ram_end(&built);
	sb_ram_finish(&built);
	device("cpu", 0, 2);
	device("cpu", 1, 3);
	device("pit", 0, 4);
	sb_eof(&built);
	sb_vmdesc(&built);
	sb_pad(&built, 100);
	save();
}

static void teardown(void)
{
	char cmd[128];

	sb_deinit(&built);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	cr_expect_eq(system(cmd), 0);
}

TestSuite(in_place, .init = setup, .fini = teardown);

/* ---- what is written ---- */

struct job {
	struct in_place p;
	struct qemu_stream s;
};

static void begin(struct job *j)
{
	const struct qemu_read_options opt = { .skip_ram = true };

	cr_assert_eq(in_place_open(&j->p, file, &err), 0, "%s", err.text);
	cr_assert_eq(qemu_stream_read(&j->s, j->p.fd, &opt, &err), 0, "%s", err.text);
	cr_assert(j->s.ram.skipped);
}

static void end(struct job *j)
{
	qemu_stream_deinit(&j->s);
	in_place_close(&j->p);
}

static struct vms_node *section(struct job *j, const char *name, uint32_t instance)
{
	struct vms_node *n = vms_find_section(j->s.tree.machine, name, instance);

	cr_assert(n, "no section %s", name);
	return n;
}

static void set_value(struct job *j, const char *name, uint32_t instance, uint64_t value)
{
	struct vms_node *n = vms_child(section(j, name, instance), "value");

	cr_assert(n);
	vms_element_set(n, 0, value);
}

static uint8_t *slurp(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data;

	cr_assert(fd >= 0);
	data = sb_slurp(fd, size);
	close(fd);
	return data;
}

/* In place gives what another file gets, and leaves nothing behind. */
static void expect_written(struct job *j)
{
	int fd = memfd_create("other", MFD_CLOEXEC);
	uint8_t *want, *got;
	size_t nwant, ngot;

	cr_assert_eq(qemu_stream_write(&j->s, fd, &err), 0, "%s", err.text);
	want = sb_slurp(fd, &nwant);
	cr_assert_eq(in_place_write(&j->p, &j->s, &err), 0, "%s", err.text);
	got = slurp(file, &ngot);
	cr_assert_eq(ngot, nwant);
	cr_expect_arr_eq(got, want, nwant);
	cr_expect(access(journal, F_OK), "the journal is still there");
	free(want);
	free(got);
	close(fd);
}

static void expect_unchanged(void)
{
	size_t size;
	uint8_t *now = slurp(file, &size);

	cr_assert_eq(size, built.out.size);
	cr_expect_arr_eq(now, built.out.data, size);
	cr_expect(access(journal, F_OK), "there is a journal");
	free(now);
}

static size_t planned(struct job *j, struct in_place_plan *plan)
{
	cr_assert_eq(in_place_plan(&j->s, plan, &err), 0, "%s", err.text);
	return plan->journal.nranges;
}

Test(in_place, nothing_is_written_when_nothing_changes)
{
	struct in_place_plan plan;
	struct job j;

	begin(&j);
	cr_expect_eq(planned(&j, &plan), 0);
	in_place_plan_deinit(&plan);
	expect_written(&j);
	end(&j);
	expect_unchanged();
}

Test(in_place, only_pieces_that_differ_are_written)
{
	struct in_place_plan plan;
	struct job j;
	size_t at = sb_find(&built, 0, "\3cpu\0\0\0\1", 8) - 5;

	begin(&j);
	set_value(&j, "cpu", 1, 99);
	set_value(&j, "early", 0, 98);
	cr_assert_eq(planned(&j, &plan), 2);
	cr_expect_lt(plan.journal.ranges[0].offset, 100, "the device before the RAM");
	cr_expect_eq(plan.journal.ranges[1].offset, at);
	cr_expect_eq(plan.journal.ranges[1].old_size, plan.journal.ranges[1].new_size);
	cr_expect_eq(plan.journal.ranges[1].new_size, 5 + 4 + 8 + 8 + 2 + 9 + 4 + 4 + 5);
	cr_expect_eq(plan.journal.old_size, plan.journal.new_size);
	in_place_plan_deinit(&plan);
	expect_written(&j);
	end(&j);
}

Test(in_place, a_section_that_goes_moves_everything_behind_it)
{
	struct in_place_plan plan;
	struct job j;

	begin(&j);
	set_value(&j, "cpu", 0, 99);
	vms_remove(section(&j, "cpu", 1));
	cr_assert_eq(planned(&j, &plan), 2);
	cr_expect_eq(plan.journal.ranges[1].offset + plan.journal.ranges[1].old_size, built.out.size);
	cr_expect_lt(plan.journal.new_size, plan.journal.old_size);
	in_place_plan_deinit(&plan);
	expect_written(&j);
	end(&j);
}

Test(in_place, a_name_of_the_same_length_before_the_ram_is_written)
{
	struct job j;

	begin(&j);
	memcpy(vms_child(section(&j, "configuration", 0), "name")->data, "xy", 2);
	expect_written(&j);
	end(&j);
}

Test(in_place, ram_that_would_have_to_move_is_refused)
{
	struct job j;

	begin(&j);
	vms_remove(section(&j, "early", 0));
	cr_expect_eq(in_place_write(&j.p, &j.s, &err), -EOPNOTSUPP);
	cr_expect_eq(err.status, IRQS_REFUSED);
	cr_expect(strstr(err.text, "it would have to move"), "%s", err.text);
	cr_expect_str_eq(err.path, "ram");
	end(&j);
	expect_unchanged();
}

/* The hole is where pages would be; whoever read or moved it would need the space, or the time. */
Test(in_place, sixteen_gibibytes_of_ram_stay_a_hole)
{
	size_t cut = sb_find(&built, 0, "\4\4\4\4\4\4\4\4", 8) + PAGE;
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	const off_t hole = (off_t)16 << 30;
	struct stat st;
	struct job j;

	cr_assert_eq(ftruncate(fd, (off_t)cut), 0);
	cr_assert_eq(pwrite(fd, built.out.data + cut, built.out.size - cut, (off_t)cut + hole), (ssize_t)(built.out.size - cut));
	close(fd);
	begin(&j);
	set_value(&j, "cpu", 0, 99);
	vms_remove(section(&j, "cpu", 1));
	cr_assert_eq(in_place_write(&j.p, &j.s, &err), 0, "%s", err.text);
	end(&j);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_gt(st.st_size, hole);
	cr_expect_lt(st.st_blocks, 256);
	begin(&j);
	cr_expect_eq(vms_element_get(vms_child(section(&j, "cpu", 0), "value"), 0), 99);
	cr_expect_null(vms_find_section(j.s.tree.machine, "cpu", 1));
	end(&j);
}

/* ---- whose file it is ---- */

Test(in_place, a_symbolic_link_has_its_journal_beside_the_file)
{
	char link[96], elsewhere[128];
	struct in_place p;
	int fd;

	snprintf(link, sizeof(link), "%s/link", dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/link" IN_PLACE_JOURNAL, dir);
	cr_assert_eq(symlink("guest", link), 0);
	cr_assert_eq(in_place_open(&p, link, &err), 0, "%s", err.text);
	in_place_close(&p);
	fd = open(elsewhere, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	cr_expect_eq(in_place_open(&p, link, &err), 0);
	in_place_close(&p);
	cr_assert_eq(rename(elsewhere, journal), 0);
	cr_expect_eq(in_place_open(&p, link, &err), -EUCLEAN);
	fd = open(link, O_RDONLY | O_CLOEXEC);
	cr_expect_eq(in_place_guard(fd, link, &err), -EUCLEAN);
	cr_expect(strstr(err.text, "'guest" IN_PLACE_JOURNAL "'"), "%s", err.text);
	close(fd);
}

Test(in_place, a_file_with_two_names_is_refused)
{
	struct in_place p;
	char other[96];

	snprintf(other, sizeof(other), "%s/other", dir);
	cr_assert_eq(link(file, other), 0);
	cr_expect_eq(in_place_open(&p, file, &err), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "2 names"), "%s", err.text);
}

Test(in_place, what_is_no_file_is_refused)
{
	struct in_place p;
	char fifo[96];

	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_expect_eq(in_place_open(&p, fifo, &err), -EOPNOTSUPP);
	cr_expect_eq(in_place_open(&p, dir, &err), -EOPNOTSUPP);
	cr_expect_eq(in_place_open(&p, "/dev/null", &err), -EOPNOTSUPP);
	cr_expect_eq(in_place_open(&p, "/nonexistent/guest", &err), -ENOENT);
	cr_expect_eq(err.status, IRQS_SYSTEM);
}

/* Run as somebody else, who may do what the file's mode says. Return: what @work returned, as an exit status. */
static int as_nobody(int (*work)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (!geteuid() && (setgid(NOBODY) || setuid(NOBODY)))
			_exit(99);
		_exit(work());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_it(void)
{
	struct in_place p;

	return -in_place_open(&p, file, NULL);
}

static int change_it(void)
{
	struct job j;
	int rc;

	begin(&j);
	set_value(&j, "cpu", 1, 99);
	rc = in_place_write(&j.p, &j.s, &err);
	end(&j);
	return -rc;
}

Test(in_place, without_permission_nothing_is_changed)
{
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(chmod(file, 0444), 0);
	cr_expect_eq(as_nobody(open_it), EACCES);
	expect_unchanged();
	/* The file may be written, but no journal made beside it. */
	cr_assert_eq(chmod(file, 0666), 0);
	cr_assert_eq(chmod(dir, 0555), 0);
	cr_expect_eq(as_nobody(change_it), EACCES);
	cr_assert_eq(chmod(dir, 0755), 0);
	expect_unchanged();
}

Test(in_place, one_process_converts_while_none_reads)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), other = open(file, O_RDONLY | O_CLOEXEC);
	struct in_place p, q;

	cr_assert_eq(in_place_guard(fd, file, &err), 0, "%s", err.text);
	cr_expect_eq(in_place_guard(other, file, &err), 0, "two may read");
	close(other);
	cr_expect_eq(in_place_open(&p, file, &err), -EBUSY);
	cr_expect(strstr(err.text, "another process reads it"), "%s", err.text);
	close(fd);
	cr_assert_eq(in_place_open(&p, file, &err), 0, "%s", err.text);
	cr_expect_eq(in_place_open(&q, file, &err), -EBUSY);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	cr_expect_eq(in_place_guard(fd, file, &err), -EBUSY);
	cr_expect(strstr(err.text, "another process converts it"), "%s", err.text);
	in_place_close(&p);
	cr_expect_eq(in_place_guard(fd, file, &err), 0);
	close(fd);
}

/* ---- recovery ---- */

/* A journal as if the conversion had been killed before its first write. Return: its bytes. */
static size_t leave_journal(void)
{
	struct in_place_plan plan;
	struct stat st;
	struct job j;

	begin(&j);
	set_value(&j, "cpu", 0, 99);
	vms_remove(section(&j, "cpu", 1));
	cr_assert_eq(planned(&j, &plan), 2);
	cr_assert_eq(fstat(j.p.fd, &st), 0);
	plan.journal.inode = st.st_ino;
	cr_assert_eq(journal_save(&plan.journal, journal, &err), 0, "%s", err.text);
	in_place_plan_deinit(&plan);
	end(&j);
	cr_assert_eq(stat(journal, &st), 0);
	return (size_t)st.st_size;
}

static enum in_place_outcome recovered(enum in_place_way way, int want)
{
	enum in_place_outcome outcome = IN_PLACE_NOTHING;

	memset(&err, 0, sizeof(err));
	cr_expect_eq(in_place_recover(file, way, &outcome, &err), want, "%s", err.text);
	return outcome;
}

Test(in_place, recovery_without_a_journal_does_nothing)
{
	cr_expect_eq(recovered(IN_PLACE_FINISH, 0), IN_PLACE_NOTHING);
	cr_expect_eq(recovered(IN_PLACE_UNDO, 0), IN_PLACE_NOTHING);
	expect_unchanged();
}

Test(in_place, recovery_finishes_or_undoes)
{
	struct job j;

	leave_journal();
	cr_expect_eq(recovered(IN_PLACE_UNDO, 0), IN_PLACE_UNDONE);
	expect_unchanged();
	leave_journal();
	cr_expect_eq(recovered(IN_PLACE_FINISH, 0), IN_PLACE_FINISHED);
	cr_expect_eq(recovered(IN_PLACE_FINISH, 0), IN_PLACE_NOTHING);
	begin(&j);
	cr_expect_eq(vms_element_get(vms_child(section(&j, "cpu", 0), "value"), 0), 99);
	cr_expect_null(vms_find_section(j.s.tree.machine, "cpu", 1));
	end(&j);
}

Test(in_place, an_incomplete_journal_goes_when_the_file_is_whole)
{
	size_t size = leave_journal();

	cr_expect_eq(recovered(IN_PLACE_UNDO, 0), IN_PLACE_UNDONE);
	for (size_t len = 0; len < size; len += 1 + size / 50) {
		leave_journal();
		cr_assert_eq(truncate(journal, (off_t)len), 0);
		cr_expect_eq(recovered(IN_PLACE_FINISH, 0), IN_PLACE_UNTOUCHED, "%zu bytes", len);
		expect_unchanged();
	}
	leave_journal();
	cr_assert_eq(truncate(journal, (off_t)size - 1), 0);
	cr_assert_eq(truncate(file, 200), 0);
	recovered(IN_PLACE_FINISH, -EBADMSG);
	cr_expect(strstr(err.text, "its journal is incomplete"), "%s", err.text);
	cr_expect_eq(access(journal, F_OK), 0);
}

static void flip(const char *path, off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t byte;

	cr_assert(fd >= 0 && pread(fd, &byte, 1, at) == 1);
	byte ^= 0x40;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

Test(in_place, a_damaged_journal_changes_nothing)
{
	size_t size = leave_journal();

	for (size_t at = 0; at < size; at += 1 + size / 100) {
		flip(journal, (off_t)at);
		recovered(IN_PLACE_FINISH, -EBADMSG);
		cr_expect_eq(err.status, IRQS_MALFORMED);
		flip(journal, (off_t)at);
	}
	cr_assert_eq(access(journal, F_OK), 0);
	cr_expect_eq(recovered(IN_PLACE_UNDO, 0), IN_PLACE_UNDONE);
	expect_unchanged();
}

Test(in_place, a_file_that_was_changed_or_replaced_since_is_left_alone)
{
	size_t at = sb_find(&built, 0, "\3pit", 4), size;
	char other[96];
	struct stat st;
	uint8_t *now;

	leave_journal();
	flip(file, (off_t)at + 1);
	recovered(IN_PLACE_FINISH, -EOPNOTSUPP);
	cr_expect(strstr(err.text, "it was changed"), "%s", err.text);
	snprintf(other, sizeof(other), "%s/other", dir);
	cr_assert_eq(rename(file, other), 0);
	save();
	flip(file, (off_t)at + 1);
	recovered(IN_PLACE_UNDO, -EOPNOTSUPP);
	cr_expect(strstr(err.text, "it was replaced"), "%s", err.text);
	cr_expect_eq(access(journal, F_OK), 0);
	now = slurp(file, &size);
	cr_expect_eq(now[at + 1], built.out.data[at + 1] ^ 0x40);
	free(now);
	cr_assert_eq(truncate(file, 3000), 0);
	recovered(IN_PLACE_FINISH, -EOPNOTSUPP);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_size, 3000);
}

/* A device number changes at a boot, an inode in a copy: what is in the files counts. */
Test(in_place, a_copy_of_file_and_journal_is_recovered)
{
	char cmd[512];

	leave_journal();
	snprintf(cmd, sizeof(cmd), "cd %s && cp guest g && cp guest.irqshift-journal j && rm guest* && mv g guest && mv j guest.irqshift-journal", dir);
	cr_assert_eq(system(cmd), 0);
	cr_expect_eq(recovered(IN_PLACE_UNDO, 0), IN_PLACE_UNDONE);
	expect_unchanged();
}

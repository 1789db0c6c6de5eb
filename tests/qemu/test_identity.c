/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams of real QEMUs: reading and writing one gives the same bytes, and the tree is what its vmdescription says,
 * field by field. Machines are saved before they run (-S) unless a case says otherwise. The reduced set by default,
 * all with IRQSHIFT_FULL=1; every machine type of each QEMU as well then.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/qemu.h"
#include "tests/qemu/process.h"

#define BLOCKS                                                        \
	" -blockdev null-co,node-name=d0,size=1048576,read-zeroes=on" \
	" -blockdev null-co,node-name=d1,size=1048576,read-zeroes=on"
#define EXIT_NO_QEMU 77

enum { REDUCED = 1,
       IRQSHIFT_CONVERTS = 2 };

struct identity_case {
	const char *name;
	const char *release; /* of QEMU */
	const char *accel;
	const char *args;    /* FILE is replaced by a file name */
	const char *monitor; /* shell words that print monitor commands before the saving; NULL: none */
	unsigned int flags;
	const char *blocked;                            /* QEMU must refuse to save it with this text */
	uint64_t (*expect)(const struct qemu_ram *ram); /* must not be 0 */
};

static uint64_t some_compressed(const struct qemu_ram *ram)
{
	return ram->compressed_pages;
}

static uint64_t some_mapped(const struct qemu_ram *ram)
{
	return ram->mapped_bytes;
}

#define VIRTIO                                                                                                \
	"-nodefaults" BLOCKS " -device virtio-blk-pci,drive=d0 -device virtio-net-pci -device virtio-rng-pci" \
	" -device virtio-scsi-pci,id=vs -device scsi-hd,drive=d1,bus=vs.0 -device virtio-balloon-pci"         \
	" -device virtio-serial-pci -chardev null,id=c0 -device virtconsole,chardev=c0 -device virtio-vga"
#define USB                                                                                                    \
	"-nodefaults" BLOCKS " -device piix3-usb-uhci,id=u -device usb-tablet,bus=u.0 -device usb-hub,bus=u.0" \
	" -device usb-ehci,id=e -device usb-storage,drive=d0,bus=e.0 -device qemu-xhci,id=x"                   \
	" -device usb-kbd,bus=x.0 -device usb-tablet,bus=x.0"
#define CARDS                                                                                                    \
	"-nodefaults -device e1000 -device e1000e -device rtl8139 -device pcnet -device ne2k_pci -device i82550" \
	" -device vmxnet3 -device pci-serial -device sdhci-pci -device ipmi-bmc-sim,id=b"                        \
	" -device isa-ipmi-kcs,bmc=b"
#define DISKS                                                                                            \
	"-nodefaults" BLOCKS " -audiodev none,id=a0 -device intel-hda -device hda-duplex,audiodev=a0"    \
	" -device AC97,audiodev=a0 -device ahci,id=ah -device ide-hd,bus=ah.0,drive=d0 -device lsi,id=l" \
	" -device scsi-hd,drive=d1,bus=l.0 -device megasas -device pvscsi"

static const struct identity_case machines[] = {
	{ "no vmdescription, no footers, no configuration", "7.2", "tcg", "-M pc-i440fx-2.2", .flags = 3 },
	{ "2.3: a vmdescription, nothing else", "7.2", "tcg", "-M pc-i440fx-2.3", .flags = 3 },
	{ "2.4: the first with footers", "7.2", "tcg", "-M pc-i440fx-2.4", .flags = 3 },
	{ "isapc", "7.2", "tcg", "-M isapc", .flags = 3 },
	{ "microvm", "7.2", "tcg", "-M microvm", .flags = 3 },
	{ "q35", "7.2", "tcg", "-M q35 -smp 4", .flags = 2 },
	{ "q35", "10.0", "tcg", "-M q35 -smp 4", .flags = 3 },
	{ "microvm", "10.0", "tcg", "-M microvm", .flags = 2 },
	{ "suppressed vmdescription", "7.2", "tcg", "-M pc,suppress-vmdesc=on", .flags = 3 },
	{ "suppressed vmdescription", "10.0", "tcg", "-M pc,suppress-vmdesc=on", .flags = 2 },
	{ "no hpet", "7.2", "tcg", "-M pc -no-hpet", .flags = 2 },
	{ "no hpet", "10.0", "tcg", "-M pc,hpet=off", .flags = 2 },
	{ "16 vCPUs", "7.2", "tcg", "-M pc -smp 16", .flags = 2 },
};

static const struct identity_case devices[] = {
	{ "virtio", "7.2", "tcg", "-M q35 " VIRTIO, .flags = 1 },
	{ "virtio", "10.0", "tcg", "-M pc -nodefaults" BLOCKS " -device virtio-blk-pci,drive=d0 -device virtio-net-pci"
				   " -device virtio-rng-pci -device virtio-balloon-pci -device virtio-serial-pci",
	  .flags = 0 },
	{ "USB", "7.2", "tcg", "-M q35 " USB, .flags = 1 },
	{ "USB", "10.0", "tcg", "-M q35 " USB, .flags = 0 },
	{ "network cards", "7.2", "tcg", "-M q35 " CARDS, .flags = 1 },
	{ "network cards", "10.0", "tcg", "-M q35 " CARDS, .flags = 0 },
	{ "disks and sound", "7.2", "tcg", "-M q35 " DISKS, .flags = 0 },
	{ "disks and sound", "10.0", "tcg", "-M q35 " DISKS, .flags = 0 },
	{ "displays", "7.2", "tcg", "-M pc -nodefaults -device VGA -device virtio-gpu-pci -device secondary-vga"
				    " -device bochs-display -device cirrus-vga",
	  .flags = 0 },
	{ "qxl", "7.2", "tcg", "-M pc -nodefaults -device qxl-vga", .flags = 0 },
	{ "standard VGA", "10.0", "tcg", "-M pc -nodefaults -device VGA -device bochs-display", .flags = 0 },
	{ "NVMe cannot be saved", "7.2", "tcg", "-M q35 -nodefaults" BLOCKS " -device nvme,drive=d0,serial=x",
	  .blocked = "non-migratable device" },
	{ "NVMe cannot be saved", "10.0", "tcg", "-M q35 -nodefaults" BLOCKS " -device nvme,drive=d0,serial=x",
	  .blocked = "non-migratable device" },
};

/*
 * A boot sector that dirties 112 pages for ever: mov ax,0x2000; mov es,ax; xor di,di; L: inc word [es:di];
 * add di,0x1000; jnc L; mov ax,es; add ax,0x1000; cmp ax,0x9000; jb M; mov ax,0x2000; M: mov es,ax; jmp L.
 */
#define DIRTIER                                                                                                    \
	"{ printf '\\270\\0\\040\\216\\300\\061\\377\\046\\377\\005\\201\\307\\0\\020\\163\\367\\214\\300\\005\\0" \
	"\\020\\075\\0\\220\\162\\003\\270\\0\\040\\216\\300\\353\\346'; head -c 477 /dev/zero;"                   \
	" printf '\\125\\252'; } >FILE.boot; "

static const struct identity_case capabilities[] = {
	{ "compressed pages", "7.2", "tcg", "-M pc", .monitor = "echo migrate_set_capability compress on",
	  .expect = some_compressed },
	{ "ignored shared memory", "7.2", "tcg",
	  "-object memory-backend-file,id=m,size=16M,mem-path=FILE.ram,share=on -M pc,memory-backend=m",
	  .monitor = "echo migrate_set_capability x-ignore-shared on", .flags = REDUCED },
	{ "ignored shared memory", "10.0", "tcg",
	  "-object memory-backend-file,id=m,size=16M,mem-path=FILE.ram,share=on -M pc,memory-backend=m",
	  .monitor = "echo migrate_set_capability x-ignore-shared on" },
	/* With a way back QEMU waits for an answer when all is written: it never comes. */
	{ "postcopy as a capability", "7.2", "tcg", "-M pc",
	  .monitor = "echo migrate_set_capability postcopy-ram on; echo 'migrate -d \"exec:cat>FILE\"'; sleep 3" },
	{ "mapped RAM", "10.0", "tcg", "-M pc", .monitor = "echo migrate_set_capability mapped-ram on",
	  .flags = REDUCED | IRQSHIFT_CONVERTS, .expect = some_mapped },
	{ "mapped RAM with a suppressed vmdescription", "10.0", "tcg", "-M pc,suppress-vmdesc=on",
	  .monitor = "echo migrate_set_capability mapped-ram on", .expect = some_mapped },
	{ "a return path", "10.0", "tcg", "-M pc",
	  .monitor = "echo migrate_set_capability return-path on; echo 'migrate -d \"exec:cat>FILE\"'; sleep 3" },
	/* How many pages it encodes is a matter of luck: the unit tests have the encoding for certain. */
	{ "a guest that runs, XBZRLE allowed", "7.2", "tcg", "-M pc -drive if=ide,format=raw,file=FILE.boot",
	  .monitor = "echo migrate_set_capability xbzrle on; echo migrate_set_parameter downtime-limit 1;"
		     " echo migrate_set_parameter max-bandwidth 500K; echo cont; sleep 4;"
		     " echo 'migrate -d \"exec:cat>FILE\"'; sleep 7; echo migrate_set_parameter downtime-limit 5000;"
		     " sleep 1" },
};

static const struct identity_case accelerators[] = {
	{ "irqchip in the kernel", "7.2", "kvm", "-M pc,kernel-irqchip=on -smp 4 -cpu qemu64,-x2apic", .flags = 3 },
	{ "split irqchip", "7.2", "kvm-split", "-M pc,kernel-irqchip=split -cpu qemu64,-x2apic", .flags = 2 },
	{ "no irqchip in the kernel", "7.2", "kvm-off", "-M pc,kernel-irqchip=off -cpu qemu64,-x2apic", .flags = 2 },
	{ "irqchip in the kernel, q35", "7.2", "kvm", "-M q35,kernel-irqchip=on -cpu qemu64,-x2apic", .flags = 2 },
	{ "irqchip in the kernel", "10.0", "kvm", "-M pc,kernel-irqchip=on -smp 4 -cpu qemu64,-x2apic", .flags = 2 },
	{ "split irqchip", "10.0", "kvm-split", "-M q35,kernel-irqchip=split -cpu qemu64,-x2apic", .flags = 3 },
	{ "no vmdescription under KVM", "7.2", "kvm", "-M pc,kernel-irqchip=on,suppress-vmdesc=on", .flags = 2 },
};

static char folder[] = "/var/tmp/irqshift-identity-XXXXXX";
static unsigned int ran, same, refused, skipped, converted;

static bool full(void)
{
	const char *s = getenv("IRQSHIFT_FULL");

	return s && !strcmp(s, "1");
}

static void make_folder(void)
{
	cr_assert(mkdtemp(folder));
}

static void drop_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_expect(!system(command));
	cr_log_warn("%u streams of real QEMUs, %u the same after reading and writing, %u converted to their own "
		    "kind; %u cannot be saved at all; %u cases skipped%s",
		    ran, same, converted, refused, skipped, full() ? "" : " (reduced; all with IRQSHIFT_FULL=1)");
}

TestSuite(identity, .init = make_folder, .fini = drop_folder);

/* Replaces FILE by @file. */
static char *with_file(const char *text, const char *file)
{
	char *out = NULL, *more;

	for (const char *p; text && (p = strstr(text, "FILE")); text = p + 4, free(out), out = more)
		cr_assert(asprintf(&more, "%s%.*s%s", out ? out : "", (int)(p - text), text, file) >= 0);
	cr_assert(asprintf(&more, "%s%s", out ? out : "", text ? text : "") >= 0);
	free(out);
	return more;
}

/* Return: the exit status; the monitor's words are in @log. */
static int save(const struct identity_case *c, const char *file, const char *log)
{
	static const char script[] =
		". scripts/qemu-env\n"
		"if [ \"$1\" = 7.2 ]; then qemu=(\"${qemu_7_2[@]}\"); else qemu=(\"${qemu_10_0[@]}\"); fi\n"
		"[ ${#qemu[@]} -gt 0 ] || exit 77\n"
		"eval \"$5\"\n"
		"{ eval \"$3\"; printf '%s\\ninfo migrate\\nquit\\n' \"$4\"; } |\n"
		"	\"${qemu[@]}\" -S -m 16 -display none -monitor stdio -serial none -accel \"$6\" $2\n";
	bool own = c->monitor && strstr(c->monitor, "migrate -d"), mapped = c->expect == some_mapped;
	char *args = with_file(c->args, file), *monitor = with_file(c->monitor, file);
	char *boot = with_file(strstr(c->args, "FILE.boot") ? DIRTIER : "", file), *migrate = NULL;
	const char *argv[] = { "bash", "-c", script, "bash", c->release, args, monitor, NULL, boot, "tcg", NULL };
	int rc;

	if (own)
		migrate = strdup("");
	else if (asprintf(&migrate, mapped ? "migrate file:%s" : "migrate \"exec:cat>%s\"", file) < 0)
		migrate = NULL;
	cr_assert(migrate);
	argv[7] = migrate;
	argv[9] = strncmp(c->accel, "kvm", 3) ? "tcg" : "kvm";
	unlink(file);
	rc = process_run(argv, 60, log);
	free(args);
	free(monitor);
	free(boot);
	free(migrate);
	return rc;
}

/* -- the vmdescription against the tree -- */

struct walk {
	uint64_t pos; /* where the next field must be */
	uint64_t fields;
	const char *name;
};

static uint64_t number(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static bool compare_body(struct walk *w, const json_t *desc, const struct vms_node *n);

static bool differs(const struct walk *w, const struct vms_node *n, const char *what)
{
	char path[160];

	cr_expect(false, "%s: %s: %s is not as the vmdescription says", w->name, vms_path(n, path, sizeof(path)), what);
	return false;
}

static bool compare_struct(struct walk *w, const json_t *field, const json_t *body, const struct vms_node *n)
{
	uint64_t start = w->pos;

	if (n->kind != VMS_STRUCT)
		return differs(w, n, "kind");
	return compare_body(w, body, n) && (w->pos - start == number(field, "size") || differs(w, n, "size"));
}

/* QEMU 10.0 writes none for the last element of an array that it lists one by one: it is one more than that before. */
static uint32_t index_of(const json_t *field, const struct vms_node *n)
{
	if (json_object_get(field, "index"))
		return (uint32_t)number(field, "index");
	if (!json_object_get(field, "array_len") && n->prev && n->prev->index != VMS_NO_INDEX &&
	    !strcmp(n->prev->name, n->name))
		return n->prev->index + 1;
	return VMS_NO_INDEX;
}

static bool compare_field(struct walk *w, const json_t *field, const struct vms_node *n)
{
	const json_t *body = json_object_get(field, "struct"), *len = json_object_get(field, "array_len");
	const char *type = string(field, "type");
	uint64_t count = len ? number(field, "array_len") : 1;

	w->fields++;
	if (!body && (!strcmp(type, "tmp") || !strcmp(type, "vstruct")))
		body = field;
	if (strcmp(n->name, string(field, "name")) != 0 || strcmp(n->type, type) != 0)
		return differs(w, n, "name or type");
	if (n->index != index_of(field, n) || n->array != (len != NULL) ||
	    n->count != count)
		return differs(w, n, "array length or index");
	if (n->offset != w->pos)
		return differs(w, n, "order or offset");
	if (!body) {
		if (n->width != number(field, "size") || (n->kind != VMS_INT && n->kind != VMS_BYTES))
			return differs(w, n, "size");
		w->pos += n->width * count;
		return true;
	}
	if (!len)
		return compare_struct(w, field, body, n);
	if (n->kind != VMS_ARRAY)
		return differs(w, n, "kind");
	n = vms_first_child(n);
	for (uint64_t i = 0; i < count; i++, n = n->next)
		if (!n || !compare_struct(w, field, body, n))
			return false;
	return !n;
}

static bool compare_body(struct walk *w, const json_t *desc, const struct vms_node *n)
{
	const struct vms_node *c = vms_first_child(n);
	const json_t *o;
	size_t i;

	if (*string(desc, "vmsd_name") && strcmp(string(desc, "vmsd_name"), n->vmsd) != 0)
		return differs(w, n, "vmsd name");
	if (json_object_get(desc, "version") && n->version != number(desc, "version"))
		return differs(w, n, "version");
	json_array_foreach(json_object_get(desc, "fields"), i, o) {
		if (!c || c->kind == VMS_SUBSECTION)
			return differs(w, n, "number of fields");
		if (!compare_field(w, o, c))
			return false;
		c = c->next;
	}
	json_array_foreach(json_object_get(desc, "subsections"), i, o) {
		if (!c || c->kind != VMS_SUBSECTION || c->offset != w->pos)
			return differs(w, n, "subsections");
		w->pos += 2 + strlen(c->name) + 4;
		if (!compare_body(w, o, c))
			return false;
		c = c->next;
	}
	return !c || differs(w, c, "what follows");
}

static uint64_t compare_vmdesc(const struct qemu_stream *s, const char *name)
{
	json_t *root = json_loadb(s->vmdesc, s->vmdesc_size, 0, NULL), *dev;
	const struct vms_node *n = vms_first_child(s->tree.machine);
	struct walk w = { .name = name };
	size_t i;

	cr_assert(root, "%s: the vmdescription is no JSON", name);
	if (n && !strcmp(n->name, "configuration"))
		n = n->next;
	json_array_foreach(json_object_get(root, "devices"), i, dev) {
		cr_assert(n, "%s: sections are missing", name);
		cr_expect_str_eq(n->name, string(dev, "name"), "%s", name);
		cr_expect(n->instance == number(dev, "instance_id"), "%s: %s", name, n->name);
		w.pos = n->offset + 1 + 4 + 1 + strlen(n->name) + 8;
		if (!compare_body(&w, dev, n))
			break;
		n = n->next;
	}
	cr_expect(!n, "%s: sections that the vmdescription does not have", name);
	json_decref(root);
	return w.fields;
}

/* -- one stream -- */

static bool files_equal(int a, int b)
{
	struct stat st, sb;
	void *p, *q;
	bool equal;

	cr_assert(!fstat(a, &st) && !fstat(b, &sb));
	if (st.st_size != sb.st_size)
		return false;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, a, 0);
	q = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, b, 0);
	cr_assert(p != MAP_FAILED && q != MAP_FAILED);
	equal = !memcmp(p, q, (size_t)st.st_size);
	munmap(p, (size_t)st.st_size);
	munmap(q, (size_t)st.st_size);
	return equal;
}

static const char *program(void)
{
	const char *p = getenv("IRQSHIFT");

	return p && !access(p, X_OK) ? p : NULL;
}

/* The command itself: the same file when the kinds are the same, and JSON that agrees with the vmdescription. */
static void convert(const struct identity_case *c, const char *name, const char *file, const char *log)
{
	char *out, *text;
	int rc, a, b;

	cr_assert(asprintf(&out, "%s.out", file) > 0);
	rc = process_run((const char *const[]){ program(), "convert", "--from", c->accel, "--to", c->accel, "-o", out,
						file, NULL },
			 60, log);
	text = read_text(log);
	cr_expect(!rc, "%s: convert to its own kind: status %d: %s", name, rc, text);
	free(text);
	if (!rc) {
		a = open(file, O_RDONLY | O_CLOEXEC);
		b = open(out, O_RDONLY | O_CLOEXEC);
		cr_expect(files_equal(a, b), "%s: converted to its own kind it is another file", name);
		close(a);
		close(b);
		converted++;
	}
	unlink(out);
	free(out);
}

/* A field of `show --json` against its entry in the vmdescription; values are judged by test_vmdesc. */
static uint64_t same_fields(const json_t *shown, const json_t *described, const char *name)
{
	const json_t *x, *y, *inner, *fields = json_object_get(described, "fields");
	uint64_t count = 0;
	size_t i;

	cr_expect(json_array_size(json_object_get(shown, "fields")) == json_array_size(fields), "%s: %s", name,
		  string(described, "name"));
	json_array_foreach(fields, i, y) {
		x = json_array_get(json_object_get(shown, "fields"), i);
		cr_expect_str_eq(string(x, "name"), string(y, "name"), "%s", name);
		cr_expect_str_eq(string(x, "type"), string(y, "type"), "%s: %s", name, string(y, "name"));
		cr_expect(number(x, "size") == number(y, "size"), "%s: size of %s", name, string(y, "name"));
		cr_expect(number(x, "array_len") == number(y, "array_len"), "%s: %s", name, string(y, "name"));
		count++;
		inner = json_object_get(y, "struct");
		if (inner && json_object_get(x, "elements"))
			count += same_fields(json_array_get(json_object_get(x, "elements"), 0), inner, name);
		else if (inner)
			count += same_fields(json_object_get(x, "struct"), inner, name);
	}
	json_array_foreach(json_object_get(described, "subsections"), i, y)
		count += same_fields(json_array_get(json_object_get(shown, "subsections"), i), y, name);
	return count;
}

static void show(const struct qemu_stream *s, const char *name, const char *file, const char *log)
{
	int rc = process_run((const char *const[]){ program(), "show", "--json", file, NULL }, 60, log);
	json_t *shown, *described, *list, *dev;
	size_t i, skip = 0;

	cr_expect(!rc, "%s: show: status %d", name, rc);
	if (rc || !s->has_vmdesc)
		return;
	shown = json_load_file(log, 0, NULL);
	described = json_loadb(s->vmdesc, s->vmdesc_size, 0, NULL);
	cr_assert(shown && described, "%s: show prints no JSON", name);
	list = json_object_get(shown, "devices");
	if (!strcmp(string(json_array_get(list, 0), "name"), "configuration"))
		skip = 1;
	cr_expect(json_array_size(list) == skip + json_array_size(json_object_get(described, "devices")), "%s", name);
	json_array_foreach(json_object_get(described, "devices"), i, dev) {
		cr_expect_str_eq(string(json_array_get(list, i + skip), "name"), string(dev, "name"), "%s", name);
		same_fields(json_array_get(list, i + skip), dev, name);
	}
	json_decref(shown);
	json_decref(described);
}

/* Jumping over the RAM gives the same pieces, wherever the end of the stream says enough. */
static void jump_over_ram(const struct qemu_stream *walked, const char *name, int fd)
{
	const struct qemu_read_options skipping = { .skip_ram = true };
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	size_t j = 0;
	int rc = qemu_stream_read(&s, fd, &skipping, &err);

	cr_expect(!rc, "%s: without its RAM: %s", name, err.text);
	if (rc)
		return;
	cr_expect(s.ram.skipped == (s.has_vmdesc && s.has_footers), "%s: RAM %s", name, s.ram.skipped ? "skipped" : "walked");
	for (size_t i = 0; i < walked->nitems; i++) {
		const struct qemu_item *x = &walked->items[i];

		if (x->kind == QEMU_ITEM_RAW)
			continue;
		while (j < s.nitems && s.items[j].kind == QEMU_ITEM_RAW)
			j++;
		cr_expect(j < s.nitems && s.items[j].offset == x->offset && s.items[j].length == x->length,
			  "%s: a section at %" PRIu64 " is lost", name, x->offset);
		j++;
	}
	qemu_stream_deinit(&s);
}

static void check_stream(const struct identity_case *c, const char *name, const char *file, const char *log)
{
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	char line[600];
	int fd = open(file, O_RDONLY | O_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC), rc;
	uint64_t fields = 0;

	ran++;
	cr_assert(fd >= 0 && out >= 0);
	rc = qemu_stream_read(&s, fd, NULL, &err);
	irqs_error_format(&err, name, line, sizeof(line));
	cr_expect(!rc, "%s", line);
	if (!rc) {
		rc = qemu_stream_write(&s, out, &err);
		cr_expect(!rc && files_equal(fd, out), "%s: what was written is not what was read: %s", name, err.text);
		same += !rc;
		if (s.has_vmdesc)
			fields = compare_vmdesc(&s, name);
		cr_expect(!s.has_vmdesc || fields > 100, "%s: only %" PRIu64 " fields", name, fields);
		cr_expect(!c->expect || c->expect(&s.ram), "%s: the encoding is not in the stream", name);
		jump_over_ram(&s, name, fd);
		if (program()) {
			show(&s, name, file, log);
			if (c->flags & IRQSHIFT_CONVERTS)
				convert(c, name, file, log);
		}
		qemu_stream_deinit(&s);
	}
	close(fd);
	close(out);
}

static void run_case(const struct identity_case *c)
{
	char file[80], log[80], name[160], *text;
	struct stat st;
	int rc;

	snprintf(file, sizeof(file), "%s/stream", folder);
	snprintf(log, sizeof(log), "%s/log", folder);
	snprintf(name, sizeof(name), "%s %s, %s", c->release, c->accel, c->name);
	if (!strncmp(c->accel, "kvm", 3) && access("/dev/kvm", R_OK | W_OK)) {
		cr_log_warn("%s: skipped: no /dev/kvm", name);
		skipped++;
		return;
	}
	rc = save(c, file, log);
	text = read_text(log);
	if (rc == EXIT_NO_QEMU || (text && (strstr(text, "is not a valid device model name") ||
					    strstr(text, "unsupported machine type")))) {
		cr_log_warn("%s: skipped: %s", name, rc == EXIT_NO_QEMU ? "no such QEMU" : text);
		skipped++;
	} else if (c->blocked) {
		cr_expect(text && strstr(text, c->blocked), "%s: it should not be possible to save: %s", name, text);
		refused++;
	} else if (stat(file, &st) || !st.st_size || !text ||
		   (!strstr(text, "status: completed") && !(c->monitor && strstr(c->monitor, "migrate -d")))) {
		cr_expect(false, "%s: not saved: status %d: %.600s", name, rc,
			  text && strlen(text) > 600 ? text + strlen(text) - 600 : text);
	} else {
		check_stream(c, name, file, log);
	}
	free(text);
	unlink(file);
}

static void run_cases(const struct identity_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (full() || (cases[i].flags & REDUCED))
			run_case(&cases[i]);
}

#define RUN(cases) run_cases(cases, sizeof(cases) / sizeof((cases)[0]))

Test(identity, machines_come_out_as_they_went_in, .timeout = 600)
{
	RUN(machines);
}

Test(identity, devices_come_out_as_they_went_in, .timeout = 600)
{
	RUN(devices);
}

Test(identity, capabilities_come_out_as_they_went_in, .timeout = 600)
{
	RUN(capabilities);
}

Test(identity, accelerators_come_out_as_they_went_in, .timeout = 600)
{
	RUN(accelerators);
}

/* Every machine type that @release lists; only the full run. */
static void every_machine(const char *release)
{
	static const char script[] =
		". scripts/qemu-env\n"
		"if [ \"$1\" = 7.2 ]; then qemu=(\"${qemu_7_2[@]}\"); else qemu=(\"${qemu_10_0[@]}\"); fi\n"
		"[ ${#qemu[@]} -gt 0 ] || exit 0\n"
		"\"${qemu[@]}\" -M help | sed -n -E 's/^((pc-i440fx-|pc-q35-)[^ ]+) .*/\\1/p'\n";
	char log[80], args[128], *text, *line, *state = NULL;

	if (!full()) {
		rmdir(folder); /* nothing is done behind a skip */
		cr_skip_test("only with IRQSHIFT_FULL=1");
		return;
	}
	snprintf(log, sizeof(log), "%s/machines", folder);
	cr_assert(!process_run((const char *const[]){ "bash", "-c", script, "bash", release, NULL }, 30, log));
	text = read_text(log);
	cr_assert(text);
	for (line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
		struct identity_case c = { line, release, "tcg", args, .flags = IRQSHIFT_CONVERTS };

		snprintf(args, sizeof(args), "-M %s", line);
		run_case(&c);
	}
	free(text);
}

Test(identity, every_machine_type_of_7_2, .timeout = 1200)
{
	every_machine("7.2");
}

Test(identity, every_machine_type_of_10_0, .timeout = 1200)
{
	every_machine("10.0");
}

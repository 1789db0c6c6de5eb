# SPDX-License-Identifier: LGPL-2.1-or-later
#
# irqshift: the library, the command, their tests and their documentation; `make help` lists the targets.
# One flat makefile; everything it makes is under $(O), with SAN=1 under $(O)/san.

VERSION   := 0.1.0
SOVERSION := 0

O         ?= build
PREFIX    ?= /usr/local
bindir    ?= $(PREFIX)/bin
libdir    ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
mandir    ?= $(PREFIX)/share/man
datadir   ?= $(PREFIX)/share/irqshift
libexecdir ?= $(PREFIX)/libexec/irqshift
CFLAGS    ?= -O2 -g
FUZZ_CC   ?= clang
FUZZ_TIME ?= 30

B         := $(O)$(if $(SAN),/san)
comma     := ,
Q         := $(if $(V),,@)
say        = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)';)
packages  := jansson libcbor liburing libnl-genl-3.0 libxml-2.0 zlib liblzma libzstd lzo2
goals     := $(or $(MAKECMDGOALS),all)

WARN      := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith $(if $(WERROR),-Werror)
SANITIZE  := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
override CPPFLAGS += -I. -D_GNU_SOURCE -DIRQSHIFT_VERSION=\"$(VERSION)\" $(pkg_cflags)
override CFLAGS   += -std=c11 -fPIC $(WARN) $(SANITIZE)
override LDLIBS   += $(pkg_libs)

# ---- what there is ----

lib_src := $(wildcard base/*.c)
lib_src += $(wildcard vmstate/*.c)
lib_src += $(wildcard stream/*.c)
lib_src += $(wildcard apic/*.c)
lib_src += $(wildcard filters/*.c)
lib_src += $(wildcard kvm/*.c)
lib_src += $(wildcard userspace/*.c)

cli_src := $(wildcard cli/*.c)

# Headers of no use outside the library; all others are installed, each under its own folder.
private_headers := stream/qemu_device.h
private_headers += stream/qemu_layout.h
private_headers += vmstate/layout.h
private_headers += stream/qemu_scan.h
private_headers += stream/section_json.h
private_headers += apic/cpu_descs.h
private_headers += apic/lapic_rows.h
private_headers += stream/output.h
private_headers += stream/schema_forms.h
private_headers += stream/json_file.h
private_headers += stream/journal.h
private_headers += filters/builtin.h
private_headers += filters/change.h
private_headers += $(wildcard */*_priv.h)
public_headers := $(filter-out $(private_headers),$(wildcard $(foreach d,base vmstate stream apic filters kvm userspace,$d/*.h)))
public_headers += kvm/module/uapi.h

# In a folder of tests, every test_NAME.c is a program; the other files are linked into each of them, and so is, in all
# folders, what runs the command.
test_dirs  := tests/unit tests/kvm tests/qemu tests/module
test_src   := $(wildcard $(addsuffix /*.c,$(test_dirs)))
tests_of    = $(patsubst %.c,$(B)/%,$(wildcard tests/$(1)/test_*.c))
helpers_of  = $(call obj,$(filter-out $(1)/test_%.c,$(wildcard $(1)/*.c)) tests/unit/cli_run.c)
# The example VMM: a program, and for the tests of its parts an archive of all but its main().
vmm_src    := $(filter-out tests/vmm/main.c,$(wildcard tests/vmm/*.c))
vmm_main   := $(wildcard tests/vmm/main.c)
vmm_lib    := $(B)/tests/vmm/vmm.a
bench_src  := $(wildcard tests/bench/*.c)
bench_bin   = $(patsubst %.c,$(B)/%,$(filter-out tests/bench/machine.c tests/bench/vm.c,$(bench_src)))
docs_src   := $(wildcard docs/*.c)
hook_scripts  := scripts/libvirt-hook scripts/qemu-as
debug_scripts := scripts/irqchip-strace scripts/irqchip-gdb.py scripts/irqshift_decode.py
fuzz_bin   := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*.c))
guest      := $(O)/tests/guests/guest.elf
live_guest := $(O)/tests/guests/live.elf
devices_guest := $(O)/tests/guests/devices.elf
guests     := $(guest) $(live_guest) $(devices_guest)
man_pages  := $(wildcard docs/*.[1-9])

obj         = $(patsubst %.c,$(B)/%.o,$(1))
all_src    := $(lib_src) $(cli_src) $(vmm_src) $(vmm_main) $(test_src) $(bench_src) $(docs_src)
products   := $(B)/libirqshift.a $(B)/libirqshift.so $(if $(cli_src),$(B)/irqshift) $(if $(vmm_main),$(B)/vmm)

MAKEFLAGS += -j$(shell nproc)
# `make clean all`, `make demo check`: one after the other.
ifneq ($(word 2,$(goals)),)
.NOTPARALLEL:
endif

.PHONY: all help setup module module_install check check-unit check-kvm check-qemu check-lab soak lint format exports docs demo bench fuzz install uninstall clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: $(products) $(B)/irqshift.pc

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make                 the library and the command (after installing what that needs)
#: make check           all tests, the long ones reduced, and lint; ends with "N passed, N failed, N skipped"
#: make check-unit      only tests/unit; also check-kvm, check-qemu, check-lab
#: make soak            all tests in full, and the fuzzers for FUZZ_TIME (default 600) seconds each
#: make lint            formatting, static checks, includes, headers, scripts
#: make format          put the sources into the checked-in format
#: make exports         write the list of exported names anew
#: make docs            write the register reference in docs/ anew, from the tables
#: make demo            a running guest whose irqchip moves; one that is saved under KVM goes on under TCG
#: make bench           speed and memory against cp and cat
#: make fuzz            the fuzzers, FUZZ_TIME (default 30) seconds each
#: make install         to PREFIX (/usr/local) below DESTDIR; make uninstall takes it away
#: make module          irqshift.ko for the running kernel, or for KVER=VERSION, or by the build folder KDIR=DIR
#: make module_install  puts it below /lib/modules (DESTDIR before that)
#: make setup           all packages that tests and demo need
#: make clean           what was compiled; not the QEMU and the lab that setup unpacked
#:
#: O=DIR  build folder (build)    V=1  show commands    SAN=1  address and undefined sanitizers    WERROR=1

# ---- packages and flags ----

# Included, so that make installs the packages first and reads itself again with what pkg-config says.
ifneq ($(filter-out help clean uninstall format module module_install,$(goals)),)
include $(O)/packages.mk
endif
$(O)/packages.mk: scripts/setup $(firstword $(MAKEFILE_LIST))
	$(Q)scripts/setup build
	$(Q)mkdir -p $(@D)
	$(Q){ echo "pkg_cflags := $$(pkg-config --cflags $(packages))" && \
		echo "pkg_libs := $$(pkg-config --libs $(packages)) -lbz2"; } >$@

flags = $(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(LDLIBS)
$(B)/.flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(flags)' | cmp -s - $@ || printf '%s\n' '$(flags)' >$@

setup:
	$(Q)O='$(O)' scripts/setup all

# ---- compile and link ----

$(B)/%.o: %.c $(B)/.flags
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libirqshift.a: $(call obj,$(lib_src))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/libirqshift.so: $(call obj,$(lib_src)) libirqshift.map
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libirqshift.so.$(SOVERSION) \
		-Wl,--version-script=libirqshift.map -Wl,-z,relro,-z,now $(if $(SAN),,-Wl$(comma)-z$(comma)defs) \
		-o $@ $(filter %.o,$^) $(LDLIBS) && ln -sf $(@F) $@.$(SOVERSION)

# The demo's guest and stream are part of the command, and the example VMM is.
$(B)/cli/demo_data.o: override CPPFLAGS += -DDEMO_GUEST='"$(guest)"'
$(B)/cli/demo_data.o: $(guest) tests/data/demo-kvm.stream

$(B)/irqshift: $(call obj,$(cli_src)) $(vmm_lib) $(B)/libirqshift.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The places are those of the install, which may be another run of make: written every time, changed when they change.
$(B)/irqshift.pc: irqshift.pc.in FORCE
	@mkdir -p $(@D); sed -e 's|@prefix@|$(PREFIX)|; s|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|' \
		-e 's|@version@|$(VERSION)|' $< >$@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# ---- the example VMM ----

$(vmm_lib): $(call obj,$(vmm_src))
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(B)/vmm: $(call obj,$(vmm_main)) $(vmm_lib) $(B)/libirqshift.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests ----

define test_rules
$(call tests_of,$(notdir $(1))): $(B)/$(1)/%: $(B)/$(1)/%.o $(call helpers_of,$(1)) $(vmm_lib) $(B)/libirqshift.a
	$$(call say,LINK,$$@)$$(CC) $$(CFLAGS) $$(LDFLAGS) -o $$@ $$^ -lcriterion $$(LDLIBS)
endef
$(foreach d,$(test_dirs),$(eval $(call test_rules,$d)))

# Runs under every CPU that KVM can be without SSE and that multiboot starts in 32 bits; links no libc.
GUEST_CFLAGS := -m32 -march=i686 -mgeneral-regs-only -O2 -std=gnu11 -ffreestanding -fno-pic -fno-pie -fno-stack-protector
GUEST_CFLAGS += -fcf-protection=none -fno-asynchronous-unwind-tables $(WARN)
GUEST_CFLAGS += -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments
$(guest): $(wildcard tests/guests/*.c tests/guests/*.S tests/guests/*.h) tests/guests/guest.ld | $(O)/packages.mk
	$(call say,GUEST,$@)mkdir -p $(@D) && $(CC) $(GUEST_CFLAGS) -T tests/guests/guest.ld -o $@ $(filter %.c %.S,$^)
devices_parts := $(filter-out tests/guests/main.c,$(wildcard tests/guests/*.c tests/guests/*.S)) tests/guests/devices/main.c
$(devices_guest): $(devices_parts) $(wildcard tests/guests/*.h) tests/guests/guest.ld | $(O)/packages.mk
	$(call say,GUEST,$@)mkdir -p $(@D) && $(CC) $(GUEST_CFLAGS) -T tests/guests/guest.ld -o $@ $(filter %.c %.S,$^)
live_parts := $(addprefix tests/guests/,boot.S irq_entry.S apic.c idt.c) $(wildcard tests/guests/live/*.c)
$(live_guest): $(live_parts) $(wildcard tests/guests/*.h tests/guests/live/*.h) tests/guests/guest.ld | $(O)/packages.mk
	$(call say,GUEST,$@)mkdir -p $(@D) && $(CC) $(GUEST_CFLAGS) -T tests/guests/guest.ld -o $@ $(filter %.c %.S,$^)

test_env := O='$(abspath $(O))' B='$(abspath $(B))' IRQSHIFT='$(abspath $(B)/irqshift)' IRQSHIFT_GUEST='$(abspath $(guest))' IRQSHIFT_LIVE_GUEST='$(abspath $(live_guest))'
test_env += IRQSHIFT_DEVICES_GUEST='$(abspath $(devices_guest))' IRQSHIFT_VMM='$(abspath $(B)/vmm)'
unit_tests := $(call tests_of,unit)
kvm_tests  := $(call tests_of,kvm)
qemu_tests := $(call tests_of,qemu)
lab_tests  := tests/lab/linux_moves tests/lab/linux_proxied tests/lab/module_suite tests/lab/monitor_counts
lab_tools  := $(B)/tests/lab/tracepoints
# Run in the lab machine, by module_suite.
module_tests := $(call tests_of,module)

# These count in the lab machine, beside the command.
$(lab_tools): $(B)/tests/lab/%: $(B)/tests/lab/%.o
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

check_programs := $(unit_tests) $(kvm_tests) $(qemu_tests) $(lab_tests)

check: setup lint all $(check_programs) $(module_tests) $(lab_tools) $(guests)
	$(Q)$(test_env) tests/run $(check_programs)
check-unit: $(unit_tests) $(products)
	$(Q)$(test_env) tests/run $(unit_tests)
check-kvm: all $(kvm_tests) $(guests)
	$(Q)$(test_env) tests/run $(kvm_tests)
check-qemu: setup all $(qemu_tests) $(guests)
	$(Q)$(test_env) tests/run $(qemu_tests)
check-lab: setup all $(module_tests) $(lab_tools)
	$(Q)$(test_env) tests/run $(lab_tests)

soak: FUZZ_TIME := 600
soak: setup lint all $(check_programs) $(module_tests) $(lab_tools) $(guests) $(fuzz_bin)
	$(Q)$(test_env) IRQSHIFT_FULL=1 tests/run $(check_programs)
	$(Q)O='$(O)' tests/fuzz/run $(FUZZ_TIME) $(fuzz_bin)

fuzz: $(fuzz_bin)
	$(Q)O='$(O)' tests/fuzz/run $(FUZZ_TIME) $(fuzz_bin)

$(O)/fuzz/.setup: scripts/setup
	$(Q)scripts/setup fuzz && mkdir -p $(@D) && touch $@
fuzz_flags := -O1 -g -std=c11 -Wno-gnu-variable-sized-type-not-at-end -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
$(fuzz_bin): $(O)/fuzz/%: tests/fuzz/%.c $(lib_src) $(wildcard $(foreach d,base vmstate stream apic filters kvm userspace,$d/*.h)) | $(O)/fuzz/.setup
	$(call say,FUZZ,$@)mkdir -p $(@D) && $(FUZZ_CC) $(CPPFLAGS) $(fuzz_flags) -o $@ $(filter %.c,$^) $(LDLIBS)
# What these need besides the library.
$(O)/fuzz/fuzz_multiboot: $(wildcard tests/vmm/*.h) $(patsubst %,tests/vmm/%.c,boot elf image initrd) tests/unit/vmm_kernel.c
$(O)/fuzz/fuzz_board: $(wildcard tests/vmm/*.h) $(patsubst %,tests/vmm/%.c,board chipset fw_cfg rtc serial test_device)

demo: setup all $(guest)
	$(Q)$(test_env) scripts/demo

$(call obj,$(bench_src)): | $(O)/packages.mk
$(B)/tests/bench/scale: $(B)/tests/bench/machine.o
$(B)/tests/bench/gather $(B)/tests/bench/batch: $(B)/tests/bench/vm.o
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libirqshift.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)
bench: setup all $(guest) $(bench_bin)
	$(Q)$(test_env) tests/bench/run

# ---- lint ----

lint_src   := $(lib_src) $(cli_src) $(vmm_src) $(vmm_main) $(test_src) $(bench_src) $(docs_src) $(wildcard tests/fuzz/*.c tests/lab/*.c)
lint_files := $(lint_src) $(wildcard */*.h kvm/module/*.[ch] tests/*/*.h tests/guests/*.c tests/guests/*/*.[ch])
tidy_src   := $(lib_src) $(cli_src)

lint: $(O)/lint/cppcheck $(patsubst %.c,$(O)/lint/%.tidy,$(tidy_src)) $(B)/libirqshift.a $(B)/irqshift $(B)/docs/registers
	$(Q)B='$(B)' scripts/lint $(public_headers)

$(O)/lint/%.tidy: %.c .clang-tidy $(B)/%.o
	$(call say,TIDY,$<)mkdir -p $(@D) && clang-tidy --quiet --warnings-as-errors='*' $< -- $(CPPFLAGS) -std=c11 2>$@.log || \
		{ cat $@.log; exit 1; } && touch $@

$(O)/lint/cppcheck: $(call obj,$(tidy_src)) .cppcheck
	$(call say,CPPCHECK,$(words $(tidy_src)) files)mkdir -p $(O)/lint/cppcheck.d && \
	cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppressions-list=.cppcheck --cppcheck-build-dir=$(O)/lint/cppcheck.d -I. $(tidy_src) && touch $@

format:
	$(Q)clang-format -i $(lint_files)

exports: $(B)/libirqshift.a
	$(Q)scripts/lint-exports --write $< $(public_headers)

# ---- documentation ----

$(B)/docs/registers: $(B)/docs/registers.o $(B)/libirqshift.a
	$(call say,LINK,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)
docs: $(B)/docs/registers
	$(Q)scripts/docs $<

# ---- the kernel module ----

# Needs no package of the library's. Without headers of the running kernel: those that `scripts/setup module` unpacks.
module_env := O='$(O)' KDIR='$(KDIR)' KVER='$(KVER)' V='$(V)' W='$(W)' C='$(C)' DESTDIR='$(DESTDIR)'
module:
	$(Q)$(if $(KDIR)$(KVER)$(wildcard /lib/modules/$(shell uname -r)/build/Makefile),,O='$(O)' scripts/setup module &&) \
		$(module_env) scripts/module build
module_install:
	$(Q)$(module_env) scripts/module install

# ---- install ----

install: all
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)/pkgconfig'
	install -m 755 $(B)/irqshift '$(DESTDIR)$(bindir)/irqshift'
	install -m 644 $(B)/libirqshift.a '$(DESTDIR)$(libdir)/libirqshift.a'
	install -m 755 $(B)/libirqshift.so '$(DESTDIR)$(libdir)/libirqshift.so.$(VERSION)'
	ln -sf libirqshift.so.$(VERSION) '$(DESTDIR)$(libdir)/libirqshift.so.$(SOVERSION)'
	ln -sf libirqshift.so.$(SOVERSION) '$(DESTDIR)$(libdir)/libirqshift.so'
	install -m 644 $(B)/irqshift.pc '$(DESTDIR)$(libdir)/pkgconfig/irqshift.pc'
	for h in $(public_headers); do install -D -m 644 "$$h" '$(DESTDIR)$(includedir)/irqshift/'"$$h" || exit; done
	for m in $(man_pages); do install -D -m 644 "$$m" '$(DESTDIR)$(mandir)/man'"$${m##*.}/$${m##*/}" || exit; done
	install -d '$(DESTDIR)$(libexecdir)'
	for s in $(debug_scripts) $(hook_scripts); do install -m $$([ -x "$$s" ] && echo 755 || echo 644) "$$s" '$(DESTDIR)$(libexecdir)/' || exit; done
	for a in tcg kvm; do ln -sf qemu-as '$(DESTDIR)$(libexecdir)'/qemu-as-$$a; done
	install -d '$(DESTDIR)$(datadir)/rules'
	install -m 644 docs/rules.schema.json filters/rules/*.json '$(DESTDIR)$(datadir)/rules/'

uninstall:
	rm -f '$(DESTDIR)$(bindir)/irqshift' '$(DESTDIR)$(libdir)/pkgconfig/irqshift.pc'
	rm -f $(foreach s,a so so.$(SOVERSION) so.$(VERSION),'$(DESTDIR)$(libdir)/libirqshift.$s')
	rm -rf '$(DESTDIR)$(includedir)/irqshift' '$(DESTDIR)$(datadir)' '$(DESTDIR)$(libexecdir)'
	for m in $(notdir $(man_pages)); do rm -f '$(DESTDIR)$(mandir)/man'"$${m##*.}/$$m"; done

clean:
	rm -rf $(O)/san $(O)/lint $(O)/fuzz $(O)/tests $(O)/check $(O)/demo $(O)/bench $(O)/packages.mk $(O)/.flags $(O)/irqshift*
	rm -rf $(O)/module $(O)/libirqshift* $(foreach d,base vmstate stream apic filters kvm userspace cli,$(O)/$d)

-include $(patsubst %.o,%.d,$(call obj,$(all_src)))

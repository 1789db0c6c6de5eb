/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The small VMM in a child process of the tests of KVM, in the lab as well. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "tests/kvm/child_vmm.c"

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VMs of the tests of KVM, in the lab as well. */
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "tests/kvm/vm.c"

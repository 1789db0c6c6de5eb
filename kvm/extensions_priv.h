/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of the KVM ABI that are later than some kernel headers. Documentation/virt/kvm/api.rst */
#ifndef IRQSHIFT_KVM_EXTENSIONS_PRIV_H
#define IRQSHIFT_KVM_EXTENSIONS_PRIV_H

#include <linux/kvm.h>

#ifndef KVM_CAP_X86_APIC_BUS_CYCLES_NS /* 7.36 */
#define KVM_CAP_X86_APIC_BUS_CYCLES_NS 237
#endif
#ifndef KVM_CAP_X86_TRIPLE_FAULT_EVENT
#define KVM_CAP_X86_TRIPLE_FAULT_EVENT 218
#endif
#ifndef KVM_VCPUEVENT_VALID_TRIPLE_FAULT
#define KVM_VCPUEVENT_VALID_TRIPLE_FAULT 0x20
#endif

#endif

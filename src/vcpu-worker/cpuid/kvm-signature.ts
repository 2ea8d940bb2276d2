import {Leaf} from './leaves.ts';

/** Answer of leaf 40000000: the last hypervisor leaf, then `KVMKVMKVM` in 12 bytes. */
export const kvmSignature = {eax: Leaf.kvmFeatures, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d} as const;

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {close} from '#support/ffi';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {Cap, type CapName} from './constants.ts';
import {cpuidBuffer, readCpuid} from './cpuid.ts';
import {kvmIoctl} from './ioctl.ts';
import {createVm, defaultDevice, openKvm} from './system.ts';

/**
 * Implementation of KVM on this host: AMD-V, VT-x, or `kvm_pvm`, which does without either and emulates the guest's supervisor
 * code in the kernel.
 */
export type KvmKind = 'svm' | 'vmx' | 'pvm' | 'unknown';

/** Capabilities of this host's KVM, as plain data. */
export interface KvmCapabilities {
	readonly apiVersion: number;
	/** Bytes of a vCPU's mapping: `kvm_run`, the port data page, the coalesced ring. */
	readonly mmapSize: number;
	/** vCPUs of one VM that the host has processors for. */
	readonly recommendedVcpus: number;
	readonly maxVcpus: number;
	/** vCPU ids (and APIC ids) are below this. */
	readonly maxVcpuId: number;
	readonly memorySlots: number;
	/** KVM_CHECK_EXTENSION by name: 0 is absent, other values are the capability's own. */
	readonly caps: Readonly<Record<CapName, number>>;
	readonly kind: KvmKind;
	/** KVM_GET_SUPPORTED_CPUID: what a guest may be shown. */
	readonly supportedCpuid: readonly CpuidEntry[];
}

/** Places to look at; for tests. */
export interface ProbeOptions {
	readonly device?: string;
	/** The folder that lists loaded modules. */
	readonly modules?: string;
}

// The most telling first: kvm_pvm is loaded where the other two cannot work.
const kinds: readonly (readonly [string, KvmKind])[] = [
	['kvm_pvm', 'pvm'],
	['kvm_amd', 'svm'],
	['kvm_intel', 'vmx'],
];

/** Finds the module that implements KVM, from the list of loaded modules (sysfs). */
export function kvmKind(modules = '/sys/module'): KvmKind {
	return kinds.find(([name]) => existsSync(join(modules, name)))?.[1] ?? 'unknown';
}

/**
 * Probes the host: opens KVM, asks for every capability, and starts and ends an empty VM.
 * @throws KVM_MISSING, KVM_PERMISSION, KVM_API_VERSION, KVM_BUSY, each with its remedy
 */
export function probeKvm(options: ProbeOptions = {}): KvmCapabilities {
	const device = options.device ?? defaultDevice;
	const fd = openKvm(device);
	try {
		close(createVm(fd, device));
		return {...readCapabilities(fd), kind: kvmKind(options.modules)};
	} finally {
		close(fd);
	}
}

function readCapabilities(fd: number): Omit<KvmCapabilities, 'kind'> {
	const check = (cap: number) => kvmIoctl(fd, 'KVM_CHECK_EXTENSION', cap);
	const caps = Object.fromEntries(Object.entries(Cap).map(([name, cap]) => [name, check(cap)])) as Record<
		CapName,
		number
	>;
	// Fallbacks for kernels without the capability (Documentation/virt/kvm/api.rst, 4.7 and 4.35).
	const recommendedVcpus = caps.NR_VCPUS || 4;
	const maxVcpus = caps.MAX_VCPUS || recommendedVcpus;
	return {
		apiVersion: kvmIoctl(fd, 'KVM_GET_API_VERSION'),
		mmapSize: vcpuMmapSize(fd),
		recommendedVcpus,
		maxVcpus,
		maxVcpuId: caps.MAX_VCPU_ID || maxVcpus,
		memorySlots: caps.NR_MEMSLOTS || 32,
		caps,
		supportedCpuid: supportedCpuid(fd),
	};
}

/** Bytes of a vCPU's mapping (KVM_GET_VCPU_MMAP_SIZE). */
export const vcpuMmapSize = (kvmFd: number): number => kvmIoctl(kvmFd, 'KVM_GET_VCPU_MMAP_SIZE');

/** Reads the CPUID that a guest may be shown (KVM_GET_SUPPORTED_CPUID). */
export function supportedCpuid(kvmFd: number): CpuidEntry[] {
	const buffer = cpuidBuffer();
	kvmIoctl(kvmFd, 'KVM_GET_SUPPORTED_CPUID', buffer);
	return readCpuid(buffer);
}

import {readdirSync, readlinkSync} from 'node:fs';
import test from 'ava';
import {isVmmError} from '#support/errors';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {VcpuWiring} from '#vcpu-worker/hypervisor';
import {probeKvm} from './capabilities.ts';
import {maxCpuidEntries} from './cpuid.ts';
import {enter} from './enter.ts';
import {KvmPartition} from './kvm-partition.ts';

/** Descriptors of this process that lead to something of this name. */
function openCount(name: string): number {
	const isOne = (fd: string) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`).includes(name);
		} catch {
			// The descriptor of the folder that was read.
			return false;
		}
	};
	return readdirSync('/proc/self/fd').filter(isOne).length;
}

test('a processor that could not be finished ends with its partition, as one that nobody has closed', (t) => {
	const partition = KvmPartition.create({irqchip: 'split', processors: 3});
	const {cpuid} = partition.processor;
	const make = (index: number, answers = cpuid) => {
		const vcpu = partition.openVcpu({index, apicId: index, apicMode: 'xapic', cpuid: answers});
		return enter(partition.handle, vcpu, {} as VcpuWiring);
	};
	const tooMany = Array.from({length: maxCpuidEntries + 1}, () => cpuid[0] as CpuidEntry);
	make(0).close();
	make(1);
	t.throws(() => make(2, tooMany), {message: /KVM_SET_CPUID2/});
	t.is(openCount('kvm-vcpu'), 2);
	t.is(openCount('/dev/kvm'), 0, 'the VM is all that a partition keeps open');
	partition.close();
	t.is(openCount('kvm-vcpu'), 0);
});

test('a counter that was asked for and cannot be is a matter of the configuration', (t) => {
	const partition = KvmPartition.create({irqchip: 'split', processors: 2});
	t.teardown(() => partition.close());
	const {cpuid} = partition.processor;
	const make = (index: number, counter: {readonly tscKhz?: number} = {}) => {
		const vcpu = partition.openVcpu({index, apicId: index, apicMode: 'xapic', cpuid, ...counter});
		return enter(partition.handle, vcpu, {} as VcpuWiring);
	};
	const tscKhz = Math.floor(make(0).readCounter().khz / 2);
	if (probeKvm().caps.TSC_CONTROL > 0) {
		t.is(make(1, {tscKhz}).readCounter().khz, tscKhz);
		return;
	}
	const error = t.throws(() => make(1, {tscKhz}));
	t.true(isVmmError(error, 'CPU_COUNTER_FREQUENCY'));
	t.regex(error?.message ?? '', new RegExp(`^--cpu tsc_khz=${tscKhz} asks`));
});

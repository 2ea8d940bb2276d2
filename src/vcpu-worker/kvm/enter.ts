import {isAmdHost} from '#vcpu-worker/cpuid';
import type {VcpuWiring} from '#vcpu-worker/hypervisor';
import {resetMsrs, resetMsrTable} from '#vcpu-worker/msr-policy';
import {Msr} from '#vcpu-worker/registers';
import {controlMemory, endVcpu, type KvmPartitionHandle, type KvmVcpuHandle} from './handles.ts';
import {prepareThread} from './kick.ts';
import {KvmBackend} from './kvm-backend.ts';
import {setMsrs} from './msrs.ts';
import {matchFrequency} from './tsc.ts';
import {KvmVcpu} from './vcpu.ts';
import {getLapic, setLapic} from './vcpu-state.ts';

/** IA32_APIC_BASE: enabled, in x2APIC mode (Intel SDM vol. 3, 11.12.1). */
const apicBaseX2apic = 0xc00n;

/** Registers that every KVM has. */
const alwaysThere = resetMsrTable.filter(({always}) => always === true).map(({index}) => index);

/** See `BackEnd.enter`. */
export function enter(partition: KvmPartitionHandle, handle: KvmVcpuHandle, wiring: VcpuWiring): KvmBackend {
	const {msrIndexes, xsaveSize} = partition;
	const vcpu = createVcpu(partition, handle);
	// The list of older kernels has no MTRRs. IA32_TIME_STAMP_COUNTER runs through a reset: setting it back would set the processors'
	// counters apart.
	const all = new Set([...msrIndexes, ...alwaysThere]);
	const kept = [...all].filter((index) => index !== Msr.IA32_TIME_STAMP_COUNTER);
	const end = () => endVcpu(partition, handle.index);
	const cpu = new KvmBackend(vcpu, {msrIndexes: kept, xsaveSize, cpuid: handle.cpuid}, wiring, end);
	// Whoever finds it kicks: the thread is ready for that.
	Atomics.store(new Int32Array(partition.tids), handle.index, prepareThread());
	return cpu;
}

function createVcpu(partition: KvmPartitionHandle, {index, apicId, apicMode, cpuid, tscKhz}: KvmVcpuHandle): KvmVcpu {
	const run = controlMemory(partition, index);
	const vcpu = KvmVcpu.create(partition.vmFd, apicId, run, run.byteLength);
	// The partition ends the vCPU, whatever fails from here on.
	Atomics.store(new Int32Array(partition.fds), index, vcpu.fd);
	vcpu.setCpuid(cpuid);
	if (tscKhz !== undefined) matchFrequency(vcpu.fd, tscKhz, 'CPU_COUNTER_FREQUENCY');
	setMsrs(vcpu.fd, resetMsrs({isAmd: isAmdHost(cpuid), listed: new Set(partition.msrIndexes)}));
	// KVM finds the target of an interrupt message in a map that it makes anew when an APIC's state is set, but not when a
	// vCPU has been created: the last one would stay deaf to its start-up message.
	setLapic(vcpu.fd, getLapic(vcpu.fd));
	if (apicMode === 'x2apic-enabled') {
		const special = vcpu.getSpecial();
		vcpu.setSpecial({...special, apicBase: special.apicBase | apicBaseX2apic});
	}
	return vcpu;
}

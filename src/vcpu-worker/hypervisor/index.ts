export type {AttachedPartition, BackEnd, PartitionHandle, VcpuHandle} from './back-end.ts';
export type {CounterReading, CpuBackend, ExitKind, ProcessorPlace, Resumption, VcpuWiring} from './cpu-backend.ts';
export type {Finding, FindingLevel} from './finding.ts';
export type {CodeDifference, Compute, HostEvidence, Hypervisor, PartitionSpec} from './hypervisor.ts';
export type {
	ApicMode,
	MsrRange,
	Partition,
	ProcessorLimits,
	ProcessorOffer,
	VcpuCounters,
	VcpuSpec,
} from './partition.ts';

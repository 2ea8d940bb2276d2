export {vcpuError} from './errors.ts';
export {
	type Activity,
	activities,
	componentsInUse,
	parsedVcpuState,
	parseVcpuState,
	saveVcpuState,
	type VcpuEvents,
	type VcpuExtension,
	type VcpuLevels,
	type VcpuState,
} from './vcpu-state.ts';

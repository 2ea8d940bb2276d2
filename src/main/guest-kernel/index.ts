export {
	buildInitrd,
	type GuestInitrd,
	type GuestKernel,
	type KernelOperation,
	type KernelRequest,
	provideKernel,
	usualModules,
} from './provide-kernel.ts';

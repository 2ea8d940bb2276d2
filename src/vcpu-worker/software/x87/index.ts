export {
	type EnvironmentForm,
	environmentBytes,
	loadEnvironment,
	loadRegisters,
	stateBytes,
	storeEnvironment,
	storeRegisters,
} from './environment.ts';
export {X87} from './x87.ts';

export {
	type EnvironmentForm,
	environmentBytes,
	loadEnvironment,
	loadRegisters,
	stateBytes,
	storeEnvironment,
	storeRegisters,
} from './environment.ts';
export {saveX87Image, takeX87Image} from './image.ts';
export {X87} from './x87.ts';

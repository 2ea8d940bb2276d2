export type {InspectedMachine} from './inspected-machine.ts';
export {machineTree} from './machine-tree.ts';

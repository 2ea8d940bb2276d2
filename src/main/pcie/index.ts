export {describePcie} from './describe-pcie.ts';
export {genericInitiators} from './generic-initiators.ts';
export {hostBridges} from './host-bridges.ts';
export {type MachinePlaces, placeMachine} from './place-windows.ts';

export {entry, type FakeMachine, type FakeMachineOptions, fakeConfig, fakeMachine} from './fake-machine.ts';
export {openFiles} from './open-files.ts';

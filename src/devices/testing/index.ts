export {DeviceUnderTest} from './device-under-test.ts';
export {FakeReactor} from './fake-reactor.ts';
export {oneThreadMachine} from './one-thread-machine.ts';

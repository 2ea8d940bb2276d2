export {testConformance} from './conformance.ts';
export {DeviceUnderTest} from './device-under-test.ts';
export {exampleConfig} from './example-config.ts';
export {FakeReactor} from './fake-reactor.ts';
export {oneThreadMachine} from './one-thread-machine.ts';

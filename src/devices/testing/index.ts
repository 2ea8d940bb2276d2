export {DeviceUnderTest} from './device-under-test.ts';
export {FakeReactor} from './fake-reactor.ts';

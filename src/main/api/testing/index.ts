export {fakeHost, flatGuest, says} from './fake-host.ts';

export {startGuest, type TestGuest} from './test-guest.ts';

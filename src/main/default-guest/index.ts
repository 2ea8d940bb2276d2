export {type DefaultGuest, defaultGuest} from './default-guest.ts';

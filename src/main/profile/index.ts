export {frameName} from './frame-names.ts';
export {GuestProfile, waitingFrame} from './guest-profile.ts';
export {type LeafTimes, leafTimes} from './leaf-times.ts';
export {type ProfileInFile, profileFor, startProfile} from './profile-file.ts';
export {type ProfileOptions, Profiling} from './profiling.ts';

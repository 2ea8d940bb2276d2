export {timerBack} from './timer-back.ts';

/** Dates of the Gregorian calendar by days since 1970-01-01. `Date` would make an object for each look at the clock. */

/** Milliseconds of a day. */
export const dayMs = 86_400_000;

/** Days of a year, on average. */
const yearDays = 365.2425;
/** Days before each month of a common year. */
const monthStarts = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;
const february = 2;
/** 1970-01-01 was a Thursday. */
const firstWeekday = 4;

const isLeap = (year: number) => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);

/** Leap years before this one, since the year 0. */
const leapsBefore = (year: number) =>
	Math.floor((year - 1) / 4) - Math.floor((year - 1) / 100) + Math.floor((year - 1) / 400);
const leapsBefore1970 = leapsBefore(1970);

const daysUntilYear = (year: number) => (year - 1970) * 365 + leapsBefore(year) - leapsBefore1970;
const daysUntilMonth = (year: number, month: number) =>
	(monthStarts[month - 1] as number) + (month > february && isLeap(year) ? 1 : 0);

/** Days of a month, 1 to 12. */
export const daysIn = (year: number, month: number): number =>
	daysUntilMonth(year, month + 1) - daysUntilMonth(year, month);

/** Days from 1970-01-01 to a date. */
export const daysUntil = (year: number, month: number, day: number): number =>
	daysUntilYear(year) + daysUntilMonth(year, month) + day - 1;

/** Day of the week, 0 for Sunday. */
export const weekday = (days: number): number => (((days + firstWeekday) % 7) + 7) % 7;

/** The year of a day. */
export function yearOf(days: number): number {
	// The average is off by one year at most, whatever the saved state of a clock makes of its time.
	const year = 1970 + Math.floor(days / yearDays);
	if (daysUntilYear(year) > days) return year - 1;
	return daysUntilYear(year + 1) <= days ? year + 1 : year;
}

/** The month of a day in its year, 1 to 12. */
export function monthOf(days: number, year: number): number {
	const inYear = days - daysUntilYear(year);
	let month = 12;
	while (month > 1 && daysUntilMonth(year, month) > inYear) month--;
	return month;
}

"""Longer texts that some prompts ask about, so that not every prompt is short."""

INCIDENT = """\
14:02 The deploy of the order service reached the second half of the fleet.
14:05 Checkout errors rose from 0.1 % to 4 %; the on-call engineer was paged at 14:07.
14:11 The error budget alert fired. Logs showed timeouts against the stock service, 2 s each.
14:15 Somebody restarted three pods of the stock service. Errors fell for a minute and came back.
14:19 The new order service turned out to open one connection for each line of a basket, where the
old one had opened one for each basket. The stock service allows 200 connections.
14:24 The deploy was rolled back. Errors were below 0.2 % at 14:31.
14:50 Two thousand orders were found that had been charged and not recorded; they were replayed
from the payment provider's webhooks by 17:40. Eleven customers had been charged twice.
"""

CONTRACT = """\
4.1 The Supplier shall keep the Service available for 99.9 % of each calendar month, save for
maintenance of which the Customer was told at least five working days before. 4.2 Where the
availability of a month falls short of that, the Customer may claim a credit of 5 % of the month's
fee for each full tenth of a percent, at most 50 %. 4.3 Credits are the Customer's only remedy for
want of availability, unless the shortfall was caused by gross negligence. 7.2 Either party may
terminate for convenience with ninety days' notice to the end of a quarter; fees that were paid in
advance are returned for the time after the termination, less discounts that had been given for a
longer term. 9.1 Neither party is liable for loss of profit. The total liability of the Supplier in
a year is limited to the fees paid in the twelve months before the event.
"""

FUNCTION = """\
def settle(orders, payments):
    open_orders = {}
    for o in orders:
        open_orders[o["id"]] = o["total"]
    result = []
    for p in sorted(payments, key=lambda p: p["at"]):
        if p["order"] in open_orders:
            open_orders[p["order"]] -= p["amount"]
            if open_orders[p["order"]] == 0:
                result.append(p["order"])
    return result
"""

MINUTES = """\
Present: Ines, Jonas, Priya, Tom (remote). Ines reported that the trial in Lyon had 212 users in
its third week, of whom 61 came back daily; support had 40 tickets, mostly about signing in with a
company account. Jonas wants to put the mobile release off by two weeks, because offline drafts
lose attachments when the phone is switched off while they are uploaded. Priya disagreed: the date
was promised to two customers, and drafts without attachments work. Tom proposed to release with
attachments switched off in drafts. All agreed, if Ines tells the two customers by Thursday. The
budget for the user study was approved (4,500), Priya looks for an agency. Nobody knew who renews
the certificate of the status page, which ends on the 30th; Jonas will find out. Next meeting on
Tuesday at ten; Tom moderates.
"""

TABLE = """\
month,visits,sign_ups,paid,churned,ad_spend
2026-01,18200,610,71,9,4200
2026-02,17650,655,80,14,4200
2026-03,23900,690,76,11,7900
2026-04,24100,702,79,23,8100
2026-05,19800,698,92,19,4300
2026-06,20150,731,98,31,4400
"""

ESSAY = """\
The town decided in 1998 to close its inner ring to cars on Saturdays. Shopkeepers had gathered
eleven hundred signatures against it; three years later the same association asked for Fridays as
well. What had happened in between is told in two ways. In one of them, people stay longer where
they can walk, and those who stay longer spend more. In the other, the big store at the ring road
had closed in the meantime, and its customers had to go somewhere. Sales inside the ring rose by
nine percent, but so they did in two neighbouring towns that had closed nothing. The noise was
measured and fell by half; the rents rose by a third, and the ironmonger, who had signed the second
petition too, could not pay his any more. It is hard to say of a street what made it better, and
for whom; the measurement that would tell was not taken, because in 1998 nobody thought of it.
"""

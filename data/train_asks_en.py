"""Requests to the sample tools for the training sets, in English: one sentence a line, with slots for the values.

No sentence is also in `heldout_phrases`.
"""

from __future__ import annotations

ASK: dict[str, str] = {
    "get_weather": """
What will the weather be like in {city} on {date}?
How is the weather in {city} on {date}?
Weather for {city}, {date}.
I am travelling to {city} on {date}. Will it rain?
On {date} I will be in {city}, what weather should I expect?
Could you check the forecast for {city} on {date}?
Please tell me how warm {city} will be on {date}.
{date}: is it sunny in {city}?
Do I need an umbrella in {city} on {date}?
Give me the {date} forecast for {city}.
Is {city} going to be cold on {date}?
We plan a picnic in {city} on {date}. How does the sky look?
forecast {city} {date}
Should I pack a coat for {city} on {date}?
I wonder if it snows in {city} on {date}.
Look up the weather on {date} in {city}, please.
Will {city} be windy on {date}?
What is the forecast for {city} on {date}?
Is rain coming to {city} on {date}?
Tell me if I need a jacket in {city} on {date}.
{city} on {date}, sun or clouds?
I will visit {city} on {date}, what should I wear?
How many degrees will {city} have on {date}?
We are in {city} on {date}. Is it warm there?
Please give me the temperature of {city} for {date}.
Is {date} a good day for a walk in {city}?
My flight to {city} is on {date}; will there be a storm?
Find out how sunny {city} is on {date}.
For {date} I need the weather of {city}.
There is a garden party in {city} on {date}, does it stay dry?
What sort of day will {date} be in {city}?
Could we swim outdoors in {city} on {date}?
I want to see the {city} weather report, {date}.
Will I freeze in {city} on {date}?
Snow in {city} on {date}, yes or no?
How cloudy is {city} on {date}?
Say what the sky does in {city} on {date}.
Could there be fog in {city} on {date}?
On {date} our team meets in {city}, will it be dry?
Weather check: {city}, {date}.
Can I go cycling in {city} on {date} without getting wet?
""",
    "convert_currency": """
How much is {amount} {source} in {target}?
Convert {amount} {source} to {target}.
Please change {amount} {source} into {target}.
I have {amount} {source}. What is that in {target}?
What do I get in {target} for {amount} {source}?
{amount} {source} to {target}
Can you work out {amount} {source} in {target}?
My hotel costs {amount} {source}; how many {target} is that?
In {target}, what is {amount} {source} worth?
I need {amount} {source} as {target}.
A friend paid {amount} {source}. Tell me the value in {target}.
Exchange {amount} {source} for {target}, how much would I have?
Could you give me the {target} value of {amount} {source}?
The price is {amount} {source}, please show it in {target}.
How many {target} do I need to buy {amount} {source}?
Turn {amount} {source} into {target}, please.
What is {amount} {source} in {target}?
Show me {amount} {source} as {target}.
If I pay {amount} {source}, how much is it in {target}?
The bill is {amount} {source}. What does that make in {target}?
Give me {amount} {source} in {target}.
I saved {amount} {source} and want to know how many {target} I get.
Please work out the {target} for {amount} {source}.
Does {amount} {source} make much money in {target}?
They ask {amount} {source}; tell me the amount in {target}.
My salary is {amount} {source}. How much would it be in {target}?
I would like to swap {amount} {source} for {target}.
{amount} {source} are how much in {target}?
Currency: {amount} {source}, I want {target}.
Let me see {amount} {source} counted in {target}.
Into {target}, please: {amount} {source}.
From {source} to {target}, the amount is {amount}.
This phone costs {amount} {source}, so what is it in {target}?
How much {target} do {amount} {source} bring?
Take {amount} {source} and give me the {target} figure.
Switch {amount} {source} over to {target}.
What would the bank give me in {target} for {amount} {source}?
At the rate of now, {amount} {source} in {target}?
We spent {amount} {source} on food. In {target} that is?
Say {amount} {source} in {target} terms.
""",
    "set_reminder": """
Remind me at {time} to {text}.
Please remind me to {text} at {time}.
Set a reminder for {time}: {text}.
At {time} I have to {text}, do not let me forget.
I must {text} at {time}. Can you remind me?
Make a reminder to {text}, {time}.
Could you remind me at {time} that I should {text}?
{time}: {text}. Please note that as a reminder.
Do not let me forget to {text} at {time}.
I would like a reminder to {text} at {time}.
Ping me at {time} to {text}.
I need to {text} at {time}, so please set a reminder.
Put in a reminder: {text} at {time}.
When it is {time}, tell me to {text}.
A reminder at {time} please, to {text}.
Help me remember to {text} at {time}.
Wake my memory at {time}: {text}.
I want to {text} at {time}, note it for me.
Tell me at {time} to {text}.
Set an alarm for {time}, I need to {text}.
Keep in mind for me: {text} at {time}.
Be so kind and remind me at {time} to {text}.
Add to my reminders: {text}, {time}.
At {time}, remind me that I have to {text}.
My plan is to {text} at {time}; send me a reminder.
Create a reminder for {time} that says {text}.
New reminder at {time}: {text}.
I always forget to {text}. Remind me at {time}.
Please note, {time}, {text}.
You should remind me to {text}, at {time} exactly.
It is important that I {text} at {time}. Remind me!
Schedule a reminder for {time} to {text}.
{text} at {time}, that is what I need to be reminded of.
Alert me when it is time to {text}, at {time}.
Write down that I {text} at {time} and remind me.
Nudge me at {time} so that I {text}.
I will {text} at {time}, remind me a bit.
Reminder for me: {text}, and the time is {time}.
Around {time} I must not forget to {text}.
Let my phone ring at {time} to {text}.
""",
    "track_order": """
Where is my order {order_id}?
Track order {order_id}.
What is the status of order {order_id}?
Has {order_id} been shipped yet?
Please check order {order_id} for me.
I ordered something last week, the number is {order_id}. When does it come?
My parcel {order_id} has not arrived. Where is it?
order {order_id} status
Can you look up {order_id}? It is an order of mine.
Is order {order_id} on its way?
Tell me how far order {order_id} has come.
I am waiting for {order_id}, any news?
Could you find out where package {order_id} is?
The order number is {order_id}; is it delivered?
Let me know the state of my order {order_id}.
When will order {order_id} get here?
Where has {order_id} got to?
Is {order_id} delivered already?
Status of {order_id} please.
I want to track {order_id}.
What happened to order {order_id}?
My order is {order_id}. Did it leave?
Please look where order {order_id} is at the moment.
On which day will {order_id} be delivered?
The shoes I bought have the number {order_id}; are they coming?
How is my order {order_id} doing?
Follow package {order_id} for me.
I am still without my order {order_id}.
Check the parcel with the number {order_id}.
Show the progress of order {order_id}.
Did you send out {order_id}?
Is there news about my parcel {order_id}?
Can I know the position of order {order_id}?
Trace {order_id}, please.
Order {order_id}: when does it come?
I paid for {order_id} days ago, where is it?
Give me information on order {order_id}.
Would you trace the shipment {order_id}?
What does the system say about order {order_id}?
Has the courier got {order_id} yet?
""",
    "search_trains": """
Which trains go from {origin} to {destination} on {date}?
Find a train from {origin} to {destination} on {date}.
I want to go from {origin} to {destination} on {date} by train.
Trains {origin} to {destination}, {date}.
On {date} I need a train to {destination} from {origin}.
Is there a train on {date} from {origin} to {destination}?
Please search trains leaving {origin} for {destination} on {date}.
How can I get to {destination} from {origin} by rail on {date}?
We leave {origin} on {date} and want to reach {destination} by train.
Look for train tickets from {origin} to {destination} for {date}.
What train connects {origin} and {destination} on {date}?
Could you check trains to {destination}? I start in {origin} on {date}.
train {origin} {destination} {date}
My trip is {origin} to {destination}, on {date}. Any trains?
For {date}, show me the train from {origin} to {destination}.
I am in {origin} and must be in {destination} on {date}, please find a train.
I need to be in {destination} on {date}, coming from {origin}. Is there a train?
Train tickets please: {origin} to {destination} on {date}.
What time do trains leave {origin} for {destination} on {date}?
Look up a train on {date}. From {origin}, to {destination}.
Tell me about trains to {destination} from {origin} on {date}.
My journey starts in {origin} and ends in {destination}, {date}. Find a train.
By train to {destination} on {date}, I leave from {origin}.
Is it possible to go by rail from {origin} to {destination} on {date}?
From {origin} I travel to {destination} on {date}; which train fits?
We need a train on {date}: {origin} to {destination}.
When can I leave {origin} by train for {destination} on {date}?
Give me a connection from {origin} to {destination} for {date}.
Find the {date} train between {origin} and {destination}.
I would take a train from {origin} on {date} to get to {destination}.
Rail search, {date}, {origin} to {destination}.
Does any train run from {origin} to {destination} on {date}?
Going to {destination} from {origin} on {date}, what are my trains?
Check the railway from {origin} to {destination} for {date}.
On {date} I go by train, {origin} to {destination}.
To {destination}, from {origin}, on {date}, by train please.
Where do I find a train from {origin} to {destination} on {date}?
I am looking for the train that goes from {origin} to {destination} on {date}.
My aunt lives in {destination}. Which train from {origin} on {date} gets me there?
Departing {origin}, arriving {destination}, {date}: any train?
""",
    "send_message": """
Send {recipient} a message: {text}.
Tell {recipient}: {text}.
Please message {recipient} and say {text}.
Write to {recipient} that {text}.
Can you let {recipient} know that {text}?
Message for {recipient}: {text}.
Text {recipient}: {text}.
I want to tell {recipient} that {text}.
Could you send a message to {recipient} saying {text}?
Send "{text}" to {recipient}.
{recipient} should know that {text}, please message them.
Drop {recipient} a line: {text}.
Please pass this on to {recipient}: {text}.
Say {text} to {recipient} in a message.
Let {recipient} know: {text}.
A short message to {recipient} please: {text}.
Tell {recipient} that {text}.
Please write {recipient} this: {text}.
{recipient} needs to hear this: {text}.
I need {recipient} to know: {text}.
Text {recipient} that {text}.
Message {recipient} that {text}.
Send word to {recipient}: {text}.
Could you write to {recipient}? The text is: {text}.
Make sure {recipient} reads this: {text}.
Quick note to {recipient}, {text}.
Say to {recipient} that {text}.
New message to {recipient}: {text}.
Can you tell {recipient} {text}?
I would like {recipient} to get this message: {text}.
Forward this to {recipient}: {text}.
Send {recipient} the words {text}.
Type a message to {recipient} with the text {text}.
Explain to {recipient} that {text}.
Please report to {recipient} that {text}.
Give {recipient} the news that {text}.
My message goes to {recipient} and reads {text}.
Remember to tell {recipient} this now: {text}.
Put {text} in a message for {recipient}.
For {recipient}: {text}. Please send it.
""",
    "book_room": """
Book {room} on {date} for {people} people.
Please reserve {room} for {people} people on {date}.
I need {room} on {date}, we are {people} people.
Can I have {room} for {people} on {date}?
On {date}, book {room} for {people}.
We want to meet in {room} on {date}. There will be {people} of us.
Reserve {room}, {date}, {people} people.
Is {room} free on {date}? If so, book it for {people} people.
There are {people} of us on {date}, please book {room}.
Get me {room} for a meeting of {people} on {date}.
Make a booking for {people} people in {room} on {date}.
{people} people will meet on {date}; reserve {room} please.
Could you book the room {room} for {people} people on {date}?
book {room} {date} {people} people
I would like to reserve {room} on {date} for a group of {people}.
Hold {room} for us on {date}, {people} people.
Book {room}, {date}, for {people}.
Make it {room} on {date}, {people} people please.
We need a room on {date}: {room}, {people} persons.
I want {room} for {people} people, the date is {date}.
Take {room} for our meeting on {date}, {people} people come.
Could you reserve {room} on {date}? It is for {people}.
Please put {people} of us into {room} on {date}.
Is it possible to book {room} for {people} on {date}?
Our meeting is on {date} with {people} people, so get {room}.
A booking of {room} for {date}, with {people} people.
{room} for {people} on {date}, please.
{date}, {room}, {people} guests: please book.
Sign us up for {room} on {date}, there are {people} of us.
Can {people} people meet in {room} on {date}? Please reserve.
I have to host {people} people on {date}; book {room}.
Block {room} on {date} for {people} people.
Secure {room} for a workshop on {date}, {people} seats.
The class has {people} people and wants {room} on {date}.
I would need {room} on {date}, with chairs for {people}.
Keep {room} free on {date} for my group of {people}.
Have {room} ready on {date}, {people} people are coming.
On {date} there will be {people} of us in {room}, book it.
Schedule {room} for {date}, {people} people.
Please give us {room} on {date} for {people} visitors.
""",
    "get_stock_price": """
What is the stock price of {symbol}?
How is {symbol} trading now?
Price of {symbol} please.
Check the {symbol} share price.
Tell me what {symbol} stock costs.
How much is one share of {symbol}?
Look up {symbol} on the stock market.
Give me a quote for {symbol}.
I own {symbol} shares, what are they worth?
{symbol} stock?
Can you see the current price of {symbol}?
Is {symbol} up today? What is the price?
I am thinking of buying {symbol}. How much is it?
Please get the latest quote on {symbol}.
What does {symbol} stand at?
Show me the share value of {symbol}.
How much is {symbol}?
What does {symbol} cost at the moment?
What is {symbol} at?
I need the price of {symbol}.
Current value of {symbol}?
Do you have the {symbol} quote?
Stock check: {symbol}.
Please look at {symbol} and tell me the price.
How are my {symbol} shares?
What do people pay for {symbol} now?
Get the stock price for {symbol}.
Find the price of {symbol} shares.
Can you tell how {symbol} is doing on the market?
Tell me about the {symbol} share.
I hold some {symbol}; how much is one?
Should I sell {symbol}? Show me its price.
Did {symbol} fall? Give me the price.
The ticker is {symbol}, what is the price?
Read me the price of {symbol}.
My broker talks about {symbol}. What is its price?
Let me see what {symbol} goes for.
At what price is {symbol} now?
How high is {symbol} today?
Where is the {symbol} stock these days?
""",
}
